#include "store/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "parts.h"

#include "base/arena.h"
#include "base/memory.h"
#include "store/place.h"
#include "store/scrub.h"

enum {
	NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
	VERSION = 1, /* the first byte of everything sealed */
	BOX_EXTRA = 1 + NONCE + TAG,
	SLOT_BYTES = BOX_EXTRA + SEAL_KEY_BYTES,
	PURPOSE_BYTES = 64,
	FILE_CHUNK = 64 * 1024,
	STREAM_HEADER = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
	STREAM_EXTRA = crypto_secretstream_xchacha20poly1305_ABYTES,
};

static const char file_magic[16] = "alumhub sealed 1";

/* One key for each use, derived from the state key, which itself is not kept. */
struct seal {
	unsigned char slots[SEAL_KEY_BYTES];
	unsigned char boxes[SEAL_KEY_BYTES];
	unsigned char hashes[SEAL_KEY_BYTES];
	unsigned char files[SEAL_KEY_BYTES];
	unsigned char fingerprint[SEAL_HASH_BYTES];
};

static void (*random_source)(void *bytes, size_t length);

static void
library_start(void)
{
	if (sodium_init() < 0) {
		fputs("libsodium does not start\n", stderr);
		_Exit(1);
	}
}

/* ---- the state key ---- */

static void
keys_derive(struct seal *s, const unsigned char key[SEAL_KEY_BYTES])
{
	crypto_kdf_derive_from_key(s->slots, sizeof(s->slots), 1, "alumslot", key);
	crypto_kdf_derive_from_key(s->boxes, sizeof(s->boxes), 2, "alumboxs", key);
	crypto_kdf_derive_from_key(s->hashes, sizeof(s->hashes), 3, "alumhash", key);
	crypto_kdf_derive_from_key(s->files, sizeof(s->files), 4, "alumfile", key);
	crypto_kdf_derive_from_key(s->fingerprint, sizeof(s->fingerprint), 5, "alumsign", key);
}

struct seal *
seal_from(const unsigned char key[SEAL_KEY_BYTES])
{
	struct seal *s;

	library_start();
	s = sodium_malloc(sizeof(*s));
	if (s)
		keys_derive(s, key);
	else
		memory_exhausted();
	return s;
}

void
seal_close(struct seal *s)
{
	sodium_free(s); /* wipes */
}

static bool
write_all(int fd, const void *bytes, size_t length)
{
	const char *p = bytes;

	while (length) {
		ssize_t n = write(fd, p, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		length -= (size_t)n;
	}
	return true;
}

/* As many as there are, up to length; -1 on an error. */
static ssize_t
read_all(int fd, void *bytes, size_t length)
{
	size_t got = 0;

	while (got < length) {
		ssize_t n = read(fd, (char *)bytes + got, length - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* Under its name only once it is whole, and never over a key that is there. */
static char *
key_make(const char *file)
{
	unsigned char key[SEAL_KEY_BYTES];
	char *part = parts_say("%s.new", file), *why = NULL;
	int fd;

	unlink(part);
	fd = place_new(part);
	randombytes_buf(key, sizeof(key));
	if (fd < 0 || !write_all(fd, key, sizeof(key)) || fsync(fd) || link(part, file))
		why = parts_say(
		    "%s: the key file cannot be made: %s; expected 32 random bytes there, "
		    "or a folder that this user may write to",
		    file, strerror(errno));
	sodium_memzero(key, sizeof(key));
	if (fd >= 0)
		close(fd);
	unlink(part);
	if (!why)
		place_sync(file);
	free(part);
	return why;
}

struct seal *
seal_open(const char *file, bool may_make, char **why)
{
	unsigned char key[SEAL_KEY_BYTES + 1];
	struct seal *s = NULL;
	ssize_t n;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	library_start();
	*why = NULL;
	if (fd < 0 && errno == ENOENT && may_make) {
		*why = key_make(file);
		if (*why)
			return NULL;
		fd = open(file, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0) {
		*why = parts_say("%s: the key file cannot be read: %s; expected 32 random bytes",
		    file, strerror(errno));
		return NULL;
	}
	n = read_all(fd, key, sizeof(key));
	if (n == SEAL_KEY_BYTES)
		s = seal_from(key);
	else
		*why = parts_say(
		    "%s: the key file is not whole; expected 32 random bytes, no more, no "
		    "fewer",
		    file);
	close(fd);
	sodium_memzero(key, sizeof(key));
	return s;
}

/* ---- hashes ---- */

void
seal_hash(const struct seal *s, const char *purpose, const void *bytes, size_t length,
    unsigned char out[SEAL_HASH_BYTES])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, s->hashes, sizeof(s->hashes), SEAL_HASH_BYTES);
	/* With its NUL, so that no purpose can run into the bytes. */
	crypto_generichash_update(&state, (const unsigned char *)purpose, strlen(purpose) + 1);
	if (length)
		crypto_generichash_update(&state, bytes, length);
	crypto_generichash_final(&state, out, SEAL_HASH_BYTES);
}

void
seal_fingerprint(const struct seal *s, unsigned char out[SEAL_HASH_BYTES])
{
	memcpy(out, s->fingerprint, SEAL_HASH_BYTES);
}

/* ---- boxes ---- */

struct bound {
	unsigned char bytes[1 + 8 + PURPOSE_BYTES];
	size_t length;
};

/* What a box is tied to besides its key: its form, the person, the purpose. */
static struct bound
bound_to(int64_t person, const char *purpose)
{
	struct bound b;
	uint64_t n = (uint64_t)person;
	size_t length = strlen(purpose);

	if (length > PURPOSE_BYTES) {
		fputs("a purpose is too long\n", stderr);
		abort();
	}
	b.bytes[0] = VERSION;
	for (int i = 0; i < 8; i++, n >>= 8)
		b.bytes[1 + i] = (unsigned char)n;
	memcpy(b.bytes + 9, purpose, length);
	b.length = 9 + length;
	return b;
}

static struct blob
box(struct arena *arena, const unsigned char *key, int64_t person, const char *purpose,
    struct blob plain)
{
	struct bound b = bound_to(person, purpose);
	unsigned char *p = arena_alloc(arena, plain.length + BOX_EXTRA);

	p[0] = VERSION;
	seal_random(p + 1, NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    p + 1 + NONCE, NULL, plain.bytes, plain.length, b.bytes, b.length, NULL, p + 1, key);
	return (struct blob){p, plain.length + BOX_EXTRA};
}

/* Into `out`, which has room for sealed.length - BOX_EXTRA. */
static bool
unbox_into(unsigned char *out, const unsigned char *key, int64_t person, const char *purpose,
    struct blob sealed)
{
	struct bound b = bound_to(person, purpose);
	const unsigned char *p = sealed.bytes;

	return p[0] == VERSION &&
	       crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, p + 1 + NONCE,
		   sealed.length - 1 - NONCE, b.bytes, b.length, p + 1, key) == 0;
}

struct blob
seal_slot_new(const struct seal *s, struct arena *arena, int64_t person)
{
	unsigned char key[SEAL_KEY_BYTES];
	struct blob slot;

	seal_random(key, sizeof(key));
	slot = box(arena, s->slots, person, "slot", (struct blob){key, sizeof(key)});
	sodium_memzero(key, sizeof(key));
	return slot;
}

/* The key that stands in the slot, or the state's for an empty one; false when it is overwritten.
 */
static bool
key_of(const struct seal *s, struct blob slot, int64_t person, unsigned char key[SEAL_KEY_BYTES])
{
	if (!slot.bytes || !slot.length) {
		memcpy(key, s->boxes, SEAL_KEY_BYTES);
		return true;
	}
	return slot.length == SLOT_BYTES && unbox_into(key, s->slots, person, "slot", slot);
}

struct blob
seal_box(const struct seal *s, struct arena *arena, struct blob slot, int64_t person,
    const char *purpose, struct blob plain)
{
	unsigned char key[SEAL_KEY_BYTES];
	struct blob sealed = {NULL, 0};

	if (plain.bytes && key_of(s, slot, person, key))
		sealed = box(arena, key, person, purpose, plain);
	sodium_memzero(key, sizeof(key));
	return sealed;
}

struct blob
seal_unbox(const struct seal *s, struct arena *arena, struct blob slot, int64_t person,
    const char *purpose, struct blob sealed)
{
	unsigned char key[SEAL_KEY_BYTES], *plain;
	struct blob none = {NULL, 0};
	size_t length;

	if (!sealed.bytes || sealed.length < BOX_EXTRA || !key_of(s, slot, person, key))
		return none;
	length = sealed.length - BOX_EXTRA;
	/* With a NUL behind it, for what was a text. */
	plain = arena_alloc(arena, length + 1);
	if (!unbox_into(plain, key, person, purpose, sealed))
		plain = NULL;
	else
		plain[length] = 0;
	sodium_memzero(key, sizeof(key));
	return plain ? (struct blob){plain, length} : none;
}

/* ---- files ---- */

/* A file that gets its name only once it is whole and on the disk. */
struct making {
	const char *to;
	char *part;
	int fd;
};

static char *
making_begin(struct making *m, const char *to)
{
	*m = (struct making){.to = to, .part = parts_say("%s.part", to)};
	scrub_unlink(m->part);
	m->fd = place_new(m->part);
	return m->fd < 0 ? parts_say("%s: cannot be written: %s", m->part, strerror(errno)) : NULL;
}

static char *
making_failed(const struct making *m)
{
	return parts_say("%s: cannot be written: %s", m->part, strerror(errno));
}

static char *
making_end(struct making *m, char *why)
{
	if (!why && (fsync(m->fd) || rename(m->part, m->to)))
		why = making_failed(m);
	if (m->fd >= 0)
		close(m->fd);
	/* What was written of a file that is not kept must not stay on the disk. */
	if (why)
		scrub_unlink(m->part);
	else
		place_sync(m->to);
	free(m->part);
	return why;
}

struct chunks {
	unsigned char plain[FILE_CHUNK], sealed[FILE_CHUNK + STREAM_EXTRA];
	unsigned char header[sizeof(file_magic) + STREAM_HEADER];
	crypto_secretstream_xchacha20poly1305_state state;
};

static struct chunks *
chunks_new(void)
{
	library_start();
	return memory_new(sizeof(struct chunks));
}

static void
chunks_free(struct chunks *c)
{
	sodium_memzero(c, sizeof(*c));
	free(c);
}

static char *
pour(const struct seal *s, struct chunks *c, const struct seal_source *from, const struct making *m)
{
	int64_t at = 0, n;
	unsigned char tag = 0;

	memcpy(c->header, file_magic, sizeof(file_magic));
	crypto_secretstream_xchacha20poly1305_init_push(
	    &c->state, c->header + sizeof(file_magic), s->files);
	if (!write_all(m->fd, c->header, sizeof(c->header)))
		return making_failed(m);
	for (; !tag; at += n) {
		n = from->length - at < FILE_CHUNK ? from->length - at : FILE_CHUNK;
		if (n && !from->read(from->ctx, c->plain, (size_t)n, at))
			return parts_say("%s: cannot be read", from->name);
		/* The last one says so, and is shorter than the others, perhaps empty. */
		if (n < FILE_CHUNK)
			tag = crypto_secretstream_xchacha20poly1305_TAG_FINAL;
		crypto_secretstream_xchacha20poly1305_push(
		    &c->state, c->sealed, NULL, c->plain, (unsigned long long)n, NULL, 0, tag);
		if (!write_all(m->fd, c->sealed, (size_t)n + STREAM_EXTRA))
			return making_failed(m);
	}
	return NULL;
}

char *
seal_pour(const struct seal *s, const struct seal_source *from, const char *to)
{
	struct chunks *c = chunks_new();
	struct making m;
	char *why = making_begin(&m, to);

	if (!why)
		why = pour(s, c, from, &m);
	chunks_free(c);
	return making_end(&m, why);
}

/* Gives every piece of a sealed file to `take`, which says why it does not want it. */
static char *
unpour(const struct seal *s, struct chunks *c, int fd, const char *from,
    char *(*take)(void *ctx, const unsigned char *bytes, size_t length), void *ctx)
{
	unsigned char tag = 0;
	unsigned long long plain = 0;
	char *why = NULL;
	ssize_t n;

	if (read_all(fd, c->header, sizeof(c->header)) != (ssize_t)sizeof(c->header) ||
	    memcmp(c->header, file_magic, sizeof(file_magic)) ||
	    crypto_secretstream_xchacha20poly1305_init_pull(
		&c->state, c->header + sizeof(file_magic), s->files))
		return parts_say("%s: is not a sealed file of this program", from);
	do {
		n = read_all(fd, c->sealed, FILE_CHUNK + STREAM_EXTRA);
		if (n < 0)
			return parts_say("%s: cannot be read: %s", from, strerror(errno));
		if (n < STREAM_EXTRA ||
		    crypto_secretstream_xchacha20poly1305_pull(&c->state, c->plain, &plain, &tag,
			c->sealed, (unsigned long long)n, NULL, 0))
			return parts_say("%s: is cut off or damaged, or sealed under another key; "
					 "expected a whole file sealed under this state's key",
			    from);
		why = take(ctx, c->plain, (size_t)plain);
		/* What stands behind the end was read with the last chunk, and spoils it. */
	} while (!why && tag != crypto_secretstream_xchacha20poly1305_TAG_FINAL);
	return why;
}

static char *
read_sealed(const struct seal *s, const char *from,
    char *(*take)(void *ctx, const unsigned char *bytes, size_t length), void *ctx)
{
	struct chunks *c = chunks_new();
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	char *why = fd < 0 ? parts_say("%s: cannot be read: %s", from, strerror(errno))
			   : unpour(s, c, fd, from, take, ctx);

	if (fd >= 0)
		close(fd);
	chunks_free(c);
	return why;
}

static char *
take_into_file(void *ctx, const unsigned char *bytes, size_t length)
{
	const struct making *m = ctx;

	return write_all(m->fd, bytes, length) ? NULL : making_failed(m);
}

char *
seal_unfile(const struct seal *s, const char *from, const char *to)
{
	struct making m;
	char *why = making_begin(&m, to);

	if (!why)
		why = read_sealed(s, from, take_into_file, &m);
	return making_end(&m, why);
}

struct comparing {
	const struct seal_source *with;
	int64_t at;
	unsigned char *bytes;
};

static char *
take_and_compare(void *ctx, const unsigned char *bytes, size_t length)
{
	struct comparing *c = ctx;
	bool same = c->at + (int64_t)length <= c->with->length &&
		    (!length || (c->with->read(c->with->ctx, c->bytes, length, c->at) &&
				    !memcmp(c->bytes, bytes, length)));

	c->at += (int64_t)length;
	return same ? NULL : parts_say("what was written is not what %s holds", c->with->name);
}

char *
seal_compare(const struct seal *s, const char *sealed, const struct seal_source *with)
{
	struct comparing c = {.with = with, .bytes = memory_new(FILE_CHUNK)};
	char *why = read_sealed(s, sealed, take_and_compare, &c);

	sodium_memzero(c.bytes, FILE_CHUNK);
	free(c.bytes);
	if (!why && c.at != with->length)
		why = parts_say("%s: is shorter than what it was made of", sealed);
	return why;
}

static char *
carry(struct chunks *c, int from, const char *name, const struct making *m)
{
	ssize_t n;

	while ((n = read_all(from, c->plain, FILE_CHUNK)) > 0)
		if (!write_all(m->fd, c->plain, (size_t)n))
			return making_failed(m);
	if (n < 0 || lseek(from, 0, SEEK_SET) || lseek(m->fd, 0, SEEK_SET))
		return parts_say("%s: cannot be read: %s", name, strerror(errno));
	do {
		n = read_all(from, c->plain, FILE_CHUNK);
		if (n < 0 || read_all(m->fd, c->sealed, FILE_CHUNK) != n ||
		    memcmp(c->plain, c->sealed, (size_t)n))
			return parts_say("%s: is not what was written", m->part);
	} while (n > 0);
	return NULL;
}

char *
seal_carry(const char *from, const char *to)
{
	struct chunks *c = chunks_new();
	struct making m;
	char *why = making_begin(&m, to);
	int fd = open(from, O_RDONLY | O_CLOEXEC);

	if (!why)
		why = fd < 0 ? parts_say("%s: cannot be read: %s", from, strerror(errno))
			     : carry(c, fd, from, &m);
	if (fd >= 0)
		close(fd);
	chunks_free(c);
	why = making_end(&m, why);
	scrub_unlink(from);
	return why;
}

/* ---- randomness ---- */

/* The kernel is asked for a page at a time: a system call for each nonce costs more than sealing. */
enum { POOL_BYTES = 4096, POOL_MOST = 256 };
struct pool {
	unsigned char bytes[POOL_BYTES];
	size_t left;
};
static _Thread_local struct pool pool;

/* Every byte is given once, and nothing of it stays behind. */
static void
pool_take(unsigned char *bytes, size_t length)
{
	if (pool.left < length) {
		randombytes_buf(pool.bytes, sizeof(pool.bytes));
		pool.left = sizeof(pool.bytes);
	}
	pool.left -= length;
	memcpy(bytes, pool.bytes + pool.left, length);
	sodium_memzero(pool.bytes + pool.left, length);
}

void
seal_random(void *bytes, size_t length)
{
	if (random_source) {
		random_source(bytes, length);
		return;
	}
	library_start();
	if (length <= POOL_MOST)
		pool_take(bytes, length);
	else
		randombytes_buf(bytes, length);
}

void
seal_random_from(void (*fill)(void *bytes, size_t length))
{
	random_source = fill;
}
