/*
 * Maximum-weight matching (Edmonds; the structure follows Galil, "Efficient algorithms for finding
 * maximum matching in graphs", 1986), one search tree at a time: a search starts at a free person
 * whose dual is above 0 and ends at another free person or where a dual reaches 0. Any feasible
 * duals may start it, so good prices leave little to do. During a search, labelled people's duals
 * are stored as they were at time 0: outer ones fall, inner ones rise with `now`.
 */
#include "matching/graph.h"

enum label { PLAIN, OUTER, INNER };

enum { BOTH_OUTER = 1u << 31 };

/* A person (id < n) or a blossom. Those in one blossom form a ring; link joins to `next`. */
struct node {
	uint32_t parent, next, prev, link_u, link_v;
	uint32_t child, base;	    /* ring's begin, the only one matched outwards; that person */
	uint32_t first, last, size; /* of the list of its people */
	uint32_t from, at;	    /* the edge that made it inner: outer person, person in it */
	enum label label;
	int64_t z;
	/* After blossom_solve: how deep inside, an ancestor further up, z of it and all around it.
	 */
	uint32_t depth, jump;
	int64_t around;
};

struct event {
	int64_t when;
	uint32_t u, v; /* an edge from an outer person; or a blossom to open and NONE */
};

struct list {
	uint32_t *item;
	size_t count, room;
};

struct blossom {
	uint32_t n, nodes;
	struct node *node;
	/* Of each person: a number of its outermost node, whose `owner` it is. When nodes join only
	 * the smaller ones are renumbered. */
	uint32_t *set, *owner, *mate, *next_leaf;
	int64_t *y, *best, now, end; /* best: earliest event that reaches a plain person */
	uint32_t end_at;	     /* where a dual is 0 at `end` */
	uint8_t *touched;
	struct list spare, sets, scan, dirty, todo, path;
	struct event *heap;
	size_t events, room;
	const struct graph *g;
	uint64_t looks, search_end;
};

static void
push(struct list *l, uint32_t x)
{
	if (l->count == l->room) {
		l->room = l->room * 2 + 64;
		l->item = pool_grow(l->item, l->room * sizeof(*l->item));
	}
	l->item[l->count++] = x;
}

static inline uint32_t
top(const struct blossom *b, uint32_t v)
{
	return b->owner[b->set[v]];
}

struct blossom *
blossom_new(uint32_t n)
{
	struct blossom *b = pool_room(1, sizeof(*b));

	b->n = n;
	b->nodes = n + n / 2 + 2;
	b->node = pool_room(b->nodes, sizeof(*b->node));
	b->set = pool_room(n, sizeof(*b->set));
	b->owner = pool_room(n, sizeof(*b->owner));
	b->mate = pool_room(n, sizeof(*b->mate));
	b->next_leaf = pool_room(n, sizeof(*b->next_leaf));
	b->y = pool_room(n, sizeof(*b->y));
	b->best = pool_room(n, sizeof(*b->best));
	b->touched = pool_room(n, 1);
	for (uint32_t v = 0; v < n; v++) {
		b->node[v] = (struct node){
		    .parent = GRAPH_NONE, .base = v, .first = v, .last = v, .size = 1};
		b->set[v] = b->owner[v] = v;
		b->mate[v] = GRAPH_NONE;
		b->best[v] = INT64_MAX;
	}
	for (uint32_t x = b->nodes; x > n; x--)
		push(&b->spare, x - 1);
	return b;
}

void
blossom_free(struct blossom *b)
{
	if (!b)
		return;
	free(b->node);
	free(b->set);
	free(b->owner);
	free(b->sets.item);
	free(b->mate);
	free(b->next_leaf);
	free(b->y);
	free(b->best);
	free(b->touched);
	free(b->spare.item);
	free(b->scan.item);
	free(b->dirty.item);
	free(b->todo.item);
	free(b->path.item);
	free(b->heap);
	free(b);
}

#define EACH_PERSON(b, x, v) \
	for (uint32_t v = (b)->node[x].first, stop_##v = 0; !stop_##v; \
	     stop_##v = v == (b)->node[x].last, v = (b)->next_leaf[v])

/* The earliest event first; equal ones in an order that only the input decides. */
static void
event_push(struct blossom *b, int64_t when, uint32_t u, uint32_t v)
{
	size_t i;

	if (b->events == b->room) {
		b->room = b->room * 2 + 1024;
		b->heap = pool_grow(b->heap, b->room * sizeof(*b->heap));
	}
	for (i = b->events++; i > 0 && when < b->heap[(i - 1) / 2].when; i = (i - 1) / 2)
		b->heap[i] = b->heap[(i - 1) / 2];
	b->heap[i] = (struct event){when, u, v};
}

static struct event
event_pop(struct blossom *b)
{
	struct event first = b->heap[0], x = b->heap[--b->events];
	size_t i = 0;

	for (;;) {
		size_t j = 2 * i + 1;

		if (j >= b->events)
			break;
		if (j + 1 < b->events && b->heap[j + 1].when < b->heap[j].when)
			j++;
		if (x.when <= b->heap[j].when)
			break;
		b->heap[i] = b->heap[j];
		i = j;
	}
	b->heap[i] = x;
	return first;
}

static void
touch(struct blossom *b, uint32_t v)
{
	if (!b->touched[v]) {
		b->touched[v] = 1;
		push(&b->dirty, v);
	}
}

/* `inner_before`: its people's duals are stored as inner ones' are. */
static void
make_outer(struct blossom *b, uint32_t x, bool inner_before)
{
	int64_t shift = inner_before ? 2 * b->now : b->now;

	b->node[x].label = OUTER;
	if (x >= b->n)
		b->node[x].z -= 2 * b->now;
	EACH_PERSON(b, x, v)
	{
		touch(b, v);
		b->y[v] += shift;
		if (b->y[v] < b->end) {
			b->end = b->y[v];
			b->end_at = v;
		}
		push(&b->scan, v);
	}
}

static void
make_inner(struct blossom *b, uint32_t x, uint32_t from, uint32_t at, bool inner_before)
{
	struct node *node = &b->node[x];

	node->label = INNER;
	node->from = from;
	node->at = at;
	if (x >= b->n) {
		node->z += 2 * b->now;
		event_push(b, node->z / 2, x, GRAPH_NONE);
	}
	if (inner_before)
		return;
	EACH_PERSON(b, x, v)
	{
		touch(b, v);
		b->y[v] -= b->now;
	}
}

static void
look_from(struct blossom *b, uint32_t u)
{
	const struct graph *g = b->g;

	for (uint32_t i = g->first[u]; i < g->first[u + 1]; i++) {
		uint32_t v = g->arc[i].to, x = top(b, v);
		int64_t when = b->y[u] + b->y[v] - (int64_t)g->arc[i].weight * GRAPH_UNIT;

		if (x == top(b, u) || b->node[x].label == INNER)
			continue;
		if (b->node[x].label == OUTER) {
			if (when / 2 < b->end)
				event_push(b, when / 2, u | BOTH_OUTER, v);
		} else if (when < b->end && when < b->best[v]) {
			touch(b, v);
			b->best[v] = when;
			event_push(b, when, u, v);
		}
	}
	b->looks += g->first[u + 1] - g->first[u] + 1;
}

/* A person that was inner is plain again: which outer ones would reach it, and when? */
static void
look_back(struct blossom *b, uint32_t v)
{
	const struct graph *g = b->g;

	b->best[v] = INT64_MAX;
	for (uint32_t i = g->first[v]; i < g->first[v + 1]; i++) {
		uint32_t u = g->arc[i].to;
		int64_t when = b->y[u] + b->y[v] - (int64_t)g->arc[i].weight * GRAPH_UNIT;

		if (b->node[top(b, u)].label == OUTER && when < b->end && when < b->best[v]) {
			b->best[v] = when;
			event_push(b, when, u, v);
		}
	}
	b->looks += g->first[v + 1] - g->first[v] + 1;
}

/* The outer node above outer `x`, or NONE at the root; *inner is the one between. */
static uint32_t
above(const struct blossom *b, uint32_t x, uint32_t *inner)
{
	uint32_t m = b->mate[b->node[x].base];

	if (m == GRAPH_NONE)
		return GRAPH_NONE;
	*inner = top(b, m);
	return top(b, b->node[*inner].from);
}

/* Where the ways from x and y to the root meet; marks are a bit in `touched`. */
static uint32_t
meeting(struct blossom *b, uint32_t x, uint32_t y)
{
	uint32_t inner, found = GRAPH_NONE;

	b->path.count = 0;
	while (found == GRAPH_NONE) {
		uint32_t base;

		if (x == GRAPH_NONE) {
			x = y;
			y = GRAPH_NONE;
		}
		base = b->node[x].base;
		if (b->touched[base] & 2) {
			found = x;
			break;
		}
		b->touched[base] |= 2;
		push(&b->path, base);
		x = above(b, x, &inner);
		if (y != GRAPH_NONE) {
			uint32_t t = x;

			x = y;
			y = t;
		}
	}
	for (size_t i = 0; i < b->path.count; i++)
		b->touched[b->path.item[i]] &= 1;
	return found;
}

static void
join(struct blossom *b, uint32_t x, uint32_t next, uint32_t u, uint32_t v)
{
	b->node[x].next = next;
	b->node[x].link_u = u;
	b->node[x].link_v = v;
	b->node[next].prev = x;
}

static void
make_ring(struct blossom *b, uint32_t u, uint32_t v, uint32_t root)
{
	uint32_t x, inner = GRAPH_NONE, up;

	join(b, top(b, u), top(b, v), u, v);
	for (x = top(b, u); x != root; x = up) {
		uint32_t base = b->node[x].base;

		up = above(b, x, &inner);
		join(b, inner, x, b->mate[base], base);
		join(b, up, inner, b->node[inner].from, b->node[inner].at);
	}
	for (x = top(b, v); x != root; x = up) {
		uint32_t base = b->node[x].base;

		up = above(b, x, &inner);
		join(b, x, inner, base, b->mate[base]);
		join(b, inner, up, b->node[inner].at, b->node[inner].from);
	}
}

/* The children of a ring get their parent, their final z, and outer people. */
static void
adopt(struct blossom *b, uint32_t blossom, uint32_t child)
{
	struct node *node = &b->node[child];

	if (node->label == INNER) {
		if (child >= b->n)
			node->z -= 2 * b->now;
		EACH_PERSON(b, child, v)
		{
			b->y[v] += 2 * b->now;
			if (b->y[v] < b->end) {
				b->end = b->y[v];
				b->end_at = v;
			}
			push(&b->scan, v);
		}
	} else if (child >= b->n) {
		node->z += 2 * b->now;
	}
	node->label = PLAIN;
	node->parent = blossom;
}

/* All people of `blossom` become of the set of its biggest child. */
static void
merge_sets(struct blossom *b, uint32_t blossom, uint32_t big)
{
	uint32_t set = b->set[b->node[big].first];

	for (uint32_t x = b->node[big].next; x != big; x = b->node[x].next) {
		push(&b->sets, b->set[b->node[x].first]);
		EACH_PERSON(b, x, v)
		b->set[v] = set;
		b->looks += b->node[x].size;
	}
	b->owner[set] = blossom;
}

static void
shrink(struct blossom *b, uint32_t u, uint32_t v)
{
	uint32_t root = meeting(b, top(b, u), top(b, v)), x = root;
	uint32_t id = b->spare.item[--b->spare.count], big = root;
	struct node *node = &b->node[id];

	make_ring(b, u, v, root);
	*node = (struct node){.parent = GRAPH_NONE,
	    .child = root,
	    .base = b->node[root].base,
	    .first = b->node[root].first,
	    .label = OUTER,
	    .z = -2 * b->now};
	node->last = b->node[b->node[root].prev].last;
	do {
		uint32_t next = b->node[x].next;

		if (b->node[x].size > b->node[big].size)
			big = x;
		node->size += b->node[x].size;
		adopt(b, id, x);
		if (next != root)
			b->next_leaf[b->node[x].last] = b->node[next].first;
		x = next;
	} while (x != root);
	merge_sets(b, id, big);
}

static uint32_t
child_with(const struct blossom *b, uint32_t blossom, uint32_t v)
{
	while (b->node[v].parent != blossom)
		v = b->node[v].parent;
	return v;
}

/* Its children stand for themselves again; the biggest keeps the set. */
static void
release(struct blossom *b, uint32_t blossom)
{
	uint32_t x = b->node[blossom].child, big = x;
	uint32_t set = b->set[b->node[x].first];

	do {
		b->node[x].parent = GRAPH_NONE;
		b->node[x].label = PLAIN;
		if (b->node[x].size > b->node[big].size)
			big = x;
		x = b->node[x].next;
	} while (x != b->node[blossom].child);
	b->owner[set] = big;
	for (x = b->node[big].next; x != big; x = b->node[x].next) {
		uint32_t own = b->sets.item[--b->sets.count];

		b->owner[own] = x;
		EACH_PERSON(b, x, v)
		b->set[v] = own;
		b->looks += b->node[x].size;
	}
	b->node[blossom].label = PLAIN;
	push(&b->spare, blossom);
}

/* Which way round the ring an even number of steps leads from `x` to the ring's begin. */
static bool
even_forward(const struct blossom *b, uint32_t blossom, uint32_t x)
{
	bool even = true;

	for (; x != b->node[blossom].child; x = b->node[x].next)
		even = !even;
	return even;
}

/* An inner blossom whose z fell to 0 opens; the way through it stays in the tree. */
static void
expand(struct blossom *b, uint32_t id)
{
	struct node node = b->node[id];
	uint32_t x = child_with(b, id, node.at), from = node.from, at = node.at, rest;
	bool forward = even_forward(b, id, x);

	release(b, id);
	make_inner(b, x, from, at, true);
	while (x != node.child) {
		uint32_t y = forward ? b->node[x].next : b->node[x].prev;
		uint32_t z = forward ? b->node[y].next : b->node[y].prev;
		const struct node *link = &b->node[forward ? y : z];

		make_outer(b, y, true);
		from = forward ? link->link_u : link->link_v;
		at = forward ? link->link_v : link->link_u;
		make_inner(b, z, from, at, true);
		x = z;
	}
	rest = node.child;
	do {
		if (b->node[rest].label == PLAIN) {
			EACH_PERSON(b, rest, v)
			b->y[v] += b->now;
			EACH_PERSON(b, rest, w)
			look_back(b, w);
		}
		rest = b->node[rest].next;
	} while (rest != node.child);
}

/* Every blossom from `person` up to `blossom` is to be turned. */
static void
turn_later(struct blossom *b, uint32_t blossom, uint32_t person)
{
	for (uint32_t x = person; x != blossom; x = b->node[x].parent) {
		push(&b->todo, x);
		push(&b->todo, person);
	}
}

/* Turns one ring's matched edges so that child `begin` is the one matched outwards. */
static void
turn_ring(struct blossom *b, uint32_t id, uint32_t begin)
{
	bool forward = even_forward(b, id, begin);
	uint32_t x = begin;

	while (x != b->node[id].child) {
		uint32_t y = forward ? b->node[x].next : b->node[x].prev;
		uint32_t z = forward ? b->node[y].next : b->node[y].prev;
		const struct node *link = &b->node[forward ? y : z];
		uint32_t p = forward ? link->link_u : link->link_v;
		uint32_t q = forward ? link->link_v : link->link_u;

		turn_later(b, y, p);
		turn_later(b, z, q);
		b->mate[p] = q;
		b->mate[q] = p;
		x = z;
	}
	b->node[id].child = begin;
}

/* Turns the matched edges inside so that `person` becomes the one matched outwards. */
static void
turn(struct blossom *b, uint32_t blossom, uint32_t person)
{
	size_t before = b->todo.count;

	turn_later(b, blossom, person);
	while (b->todo.count > before) {
		uint32_t v = b->todo.item[--b->todo.count], x = b->todo.item[--b->todo.count];
		uint32_t id = b->node[x].parent;

		if (b->node[id].child != x)
			turn_ring(b, id, x);
		b->node[id].base = v;
	}
}

/* Outer person `u` gets `v` (or nobody), and every pair up to the root changes over. */
static void
change_over(struct blossom *b, uint32_t u, uint32_t v)
{
	for (;;) {
		uint32_t x = top(b, u), old = b->mate[b->node[x].base], inner;

		turn(b, x, u);
		b->mate[u] = v;
		if (old == GRAPH_NONE)
			return;
		inner = top(b, old);
		u = b->node[inner].from;
		v = b->node[inner].at;
		turn(b, inner, v);
		b->mate[v] = u;
	}
}

/* True when the search is over. */
static bool
reach(struct blossom *b, uint32_t u, uint32_t v)
{
	uint32_t x = top(b, v), m = b->mate[b->node[x].base];

	if (m == GRAPH_NONE) {
		change_over(b, u, v);
		turn(b, x, v);
		b->mate[v] = u;
		return true;
	}
	make_inner(b, x, u, v, false);
	make_outer(b, top(b, m), false);
	return false;
}

static bool
happen(struct blossom *b, struct event e)
{
	uint32_t u = e.u & ~(uint32_t)BOTH_OUTER;

	if (e.v == GRAPH_NONE) {
		if (b->node[u].parent == GRAPH_NONE && b->node[u].label == INNER &&
		    b->node[u].z == 2 * e.when)
			expand(b, u);
	} else if (e.u & BOTH_OUTER) {
		if (top(b, u) != top(b, e.v))
			shrink(b, u, e.v);
	} else if (b->node[top(b, e.v)].label == PLAIN && b->best[e.v] == e.when) {
		return reach(b, u, e.v);
	}
	return false;
}

/* Outer blossoms that are worth nothing are taken apart, with those inside of the same kind. */
static void
dissolve(struct blossom *b, uint32_t id)
{
	uint32_t x = b->node[id].child;
	size_t before = b->todo.count;

	release(b, id);
	do {
		if (x >= b->n && !b->node[x].z)
			push(&b->todo, x);
		x = b->node[x].next;
	} while (x != b->node[id].child);
	while (b->todo.count > before)
		dissolve(b, b->todo.item[--b->todo.count]);
}

static void
settle(struct blossom *b)
{
	for (size_t i = 0; i < b->dirty.count; i++) {
		uint32_t v = b->dirty.item[i];
		enum label label = b->node[top(b, v)].label;

		b->y[v] += label == OUTER ? -b->now : label == INNER ? b->now : 0;
		b->best[v] = INT64_MAX;
		b->touched[v] = 0;
	}
	for (size_t i = 0; i < b->dirty.count; i++) {
		uint32_t x = top(b, b->dirty.item[i]);
		struct node *node = &b->node[x];

		if (node->label == PLAIN)
			continue;
		if (x >= b->n)
			node->z += node->label == OUTER ? 2 * b->now : -2 * b->now;
		node->label = PLAIN;
		if (x >= b->n && !node->z)
			dissolve(b, x);
	}
	b->dirty.count = b->scan.count = b->events = 0;
}

static void
search(struct blossom *b, uint32_t root)
{
	uint64_t give_up = b->looks + b->search_end;
	bool over = false;

	b->now = 0;
	b->end = INT64_MAX;
	make_outer(b, top(b, root), false);
	while (!over) {
		while (b->scan.count)
			look_from(b, b->scan.item[--b->scan.count]);
		if (b->looks > give_up)
			break;
		if (b->events && b->heap[0].when < b->end) {
			struct event e = event_pop(b);

			b->now = e.when;
			over = happen(b, e);
		} else {
			b->now = b->end;
			change_over(b, b->end_at, GRAPH_NONE);
			over = true;
		}
	}
	settle(b);
}

void
blossom_start(struct blossom *b, const int64_t *dual, const uint32_t *hint)
{
	for (uint32_t v = 0; v < b->n; v++) {
		b->y[v] = dual[v];
		b->mate[v] = hint[v] != GRAPH_NONE && hint[hint[v]] == v ? hint[v] : GRAPH_NONE;
	}
}

/* Blossoms' worth goes to their people, which keeps every edge covered. */
static void
flatten(struct blossom *b)
{
	for (uint32_t v = 0; v < b->n; v++) {
		uint32_t x = top(b, v);

		if (x < b->n)
			continue;
		EACH_PERSON(b, x, p)
		b->y[p] += b->node[x].z / 2;
		b->node[x].z = 0;
		release(b, x);
		v--;
	}
}

/* The largest dual that an edge of `v` asks for, at least 0; *with is the other end. */
static int64_t
needed(const struct blossom *b, uint32_t v)
{
	int64_t most = 0;

	for (uint32_t i = b->g->first[v]; i < b->g->first[v + 1]; i++) {
		int64_t worth = (int64_t)b->g->arc[i].weight * GRAPH_UNIT;

		if (worth <= most)
			break;
		if (worth - b->y[b->g->arc[i].to] > most)
			most = worth - b->y[b->g->arc[i].to];
	}
	return most;
}

static int64_t
slack(const struct blossom *b, uint32_t u, const struct graph_arc *arc)
{
	return b->y[u] + b->y[arc->to] - (int64_t)arc->weight * GRAPH_UNIT;
}

/* Keeps a mate only over a tight edge. */
static void
keep_tight(struct blossom *b)
{
	for (uint32_t v = 0; v < b->n; v++) {
		uint32_t m = b->mate[v];
		bool tight = false;

		if (m == GRAPH_NONE || m < v)
			continue;
		for (uint32_t i = b->g->first[v]; i < b->g->first[v + 1] && !tight; i++)
			tight = b->g->arc[i].to == m && !slack(b, v, &b->g->arc[i]);
		if (!tight)
			b->mate[v] = b->mate[m] = GRAPH_NONE;
	}
}

/* Feasible duals, as low as one look at each allows; the free go first; then the easy pairs. */
static void
prepare(struct blossom *b)
{
	for (uint32_t v = 0; v < b->n; v++) {
		int64_t low = needed(b, v);

		if (low > b->y[v])
			b->y[v] = low;
	}
	for (uint32_t v = 0; v < b->n; v++)
		if (b->mate[v] == GRAPH_NONE)
			b->y[v] = needed(b, v);
	for (uint32_t v = 0; v < b->n; v++)
		b->y[v] = needed(b, v);
	keep_tight(b);
	for (uint32_t v = 0; v < b->n; v++) {
		if (b->mate[v] != GRAPH_NONE)
			continue;
		b->y[v] = needed(b, v);
		for (uint32_t i = b->g->first[v]; i < b->g->first[v + 1]; i++) {
			uint32_t u = b->g->arc[i].to;

			if (b->mate[u] == GRAPH_NONE && u != v && !slack(b, v, &b->g->arc[i])) {
				b->mate[v] = u;
				b->mate[u] = v;
				break;
			}
		}
	}
}

static void
index_node(struct node *node, uint32_t x)
{
	uint32_t p = node[x].parent, j;

	if (p == GRAPH_NONE) {
		node[x].depth = 0;
		node[x].jump = x;
		node[x].around = node[x].z;
		return;
	}
	j = node[p].jump;
	node[x].depth = node[p].depth + 1;
	node[x].around = node[p].around + node[x].z;
	node[x].jump = node[p].depth - node[j].depth == node[j].depth - node[node[j].jump].depth
			   ? node[j].jump
			   : p;
}

/* From the outside in, so that blossom_common is quick however deep they are nested. */
static void
index_nodes(struct blossom *b)
{
	for (uint32_t x = 0; x < b->nodes; x++)
		b->node[x].depth = GRAPH_NONE;
	for (uint32_t v = 0; v < b->n; v++) {
		uint32_t x = v;

		b->path.count = 0;
		for (; x != GRAPH_NONE && b->node[x].depth == GRAPH_NONE; x = b->node[x].parent)
			push(&b->path, x);
		while (b->path.count)
			index_node(b->node, b->path.item[--b->path.count]);
	}
}

/* Searches from everybody who is free and still priced, each with so much effort at most. */
static bool
sweep(struct blossom *b, uint64_t each, uint64_t end, const volatile int *cancel)
{
	for (uint32_t v = 0; v < b->n; v++) {
		const struct node *outer = &b->node[top(b, v)];

		if (outer->base != v || b->mate[v] != GRAPH_NONE || !b->y[v])
			continue;
		if (cancel && *cancel)
			return false;
		b->search_end = b->looks < end ? end - b->looks : 2000;
		if (b->search_end > each)
			b->search_end = each;
		search(b, v);
	}
	return true;
}

/* Near partners first: a search that goes far makes blossoms that all later ones must pass. */
bool
blossom_solve(struct blossom *b, const struct graph *g, uint64_t effort, const volatile int *cancel)
{
	static const uint32_t each[] = {500, 5000, 50000, UINT32_MAX};
	uint64_t end = b->looks + effort;

	b->g = g;
	flatten(b);
	prepare(b);
	for (size_t i = 0; i < sizeof(each) / sizeof(*each); i++)
		if (!sweep(b, each[i] < effort / 4 ? each[i] : effort / 4, end, cancel))
			return false;
	index_nodes(b);
	return true;
}

uint32_t
blossom_mate(const struct blossom *b, uint32_t v)
{
	return b->mate[v];
}

int64_t
blossom_dual(const struct blossom *b, uint32_t v)
{
	return b->y[v];
}

/* The innermost blossom that holds both, or NONE; jumps halve the way (Myers' skew-binary list). */
static uint32_t
holds_both(const struct node *node, uint32_t u, uint32_t v)
{
	while (node[u].depth > node[v].depth)
		u = node[node[u].jump].depth >= node[v].depth ? node[u].jump : node[u].parent;
	while (node[v].depth > node[u].depth)
		v = node[node[v].jump].depth >= node[u].depth ? node[v].jump : node[v].parent;
	while (u != v) {
		bool far = node[u].jump != node[v].jump;

		u = far ? node[u].jump : node[u].parent;
		v = far ? node[v].jump : node[v].parent;
	}
	return u;
}

int64_t
blossom_common(const struct blossom *b, uint32_t u, uint32_t v, int64_t enough)
{
	int64_t most;

	if (top(b, u) != top(b, v))
		return 0;
	most = b->node[u].around < b->node[v].around ? b->node[u].around : b->node[v].around;
	return most < enough ? most : b->node[holds_both(b->node, u, v)].around;
}

int64_t
blossom_bound(const struct blossom *b)
{
	int64_t sum = 0;

	for (uint32_t v = 0; v < b->n; v++) {
		sum += b->y[v];
		for (uint32_t x = b->node[v].parent; x != GRAPH_NONE && b->node[x].first == v;
		     x = b->node[x].parent)
			sum += b->node[x].z * (b->node[x].size / 2);
	}
	return sum;
}
