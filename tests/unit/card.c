/* Cards: names isolated by construction, packed and unpacked, cut where nothing breaks. */
#include "unit.h"

#include "base/card.h"
#include "base/text.h"

#include "in_arena.h"

/* A line's end closes an isolate by itself, so one over several lines would end in the first. */
static void
card_isolates_each_line_of_strangers_words(void **state)
{
	struct card *card = card_new(arena);
	const struct span *s;

	(void)state;
	card_name(card, "מתי?\n\nwhen\n");
	for (s = card->spans; s; s = s->next)
		assert_true(!(s->style & SPAN_NAME) || !strchr(s->text, '\n'));
	assert_string_equal(
	    card_plain(arena, card), TEXT_FSI "מתי?" TEXT_PDI "\n\n" TEXT_FSI "when" TEXT_PDI "\n");
}

static void
card_isolates_strangers_words(void **state)
{
	struct card *card = card_new(arena);

	(void)state;
	card_text(card, "Question: ", 0);
	card_name(card, "<b>מתי?</b>");
	card_link(card, "site", "https://example.org");
	assert_string_equal(card_plain(arena, card),
	    "Question: " TEXT_FSI "<b>מתי?</b>" TEXT_PDI "site (" TEXT_FSI
	    "https://example.org" TEXT_PDI ")");
}

static void
card_takes_no_address_with_controls(void **state)
{
	struct card *card = card_new(arena);

	(void)state;
	card_link(card, "https://a.org/\xe2\x80\xaegro.b", "https://a.org/\xe2\x80\xaegro.b");
	assert_null(card->spans->link);
	assert_int_equal(card->spans->style, SPAN_NAME);
	assert_string_equal(card->spans->text, "https://a.org/gro.b");
}

static struct card *
full_card(void)
{
	struct card *card = card_new(arena);

	card_text(card, "Title", SPAN_BOLD);
	card_name(card, "name");
	card_link(card, "link", "https://example.org");
	card_choice(card, "one", "a.b", "1");
	card_choice(card, "two", "a.c", NULL);
	card_same_row(card);
	card_choice_link(card, "three", "https://example.org/3");
	card_file(card, "/tmp/x", "x.ics", "text/calendar", NULL);
	card->flags = CARD_RTL | CARD_PROTECT;
	return card;
}

static void
card_packs_and_comes_back(void **state)
{
	struct card_bytes packed = card_pack(arena, full_card()), again;
	struct card *card = card_unpack(arena, packed.bytes, packed.length);

	(void)state;
	assert_non_null(card);
	again = card_pack(arena, card);
	assert_int_equal(again.length, packed.length);
	assert_memory_equal(again.bytes, packed.bytes, packed.length);
	assert_int_equal(card->flags, CARD_RTL | CARD_PROTECT);
	assert_true(card->choices->next->same_row);
	assert_string_equal(card->choices->next->value, "");
	assert_string_equal(card->file->name, "x.ics");
	assert_null(card->file->key);
	/* Cut anywhere it is refused, but where a field ends. */
	for (size_t n = 1; n < packed.length; n++) {
		unsigned char *cut = malloc(n);

		memcpy(cut, packed.bytes, n);
		card_unpack(arena, cut, n);
		free(cut);
	}
	assert_null(card_unpack(arena, packed.bytes, packed.length - 1));
}

static void
card_appends_lines_and_paragraphs(void **state)
{
	struct card *card = card_new(arena), *more = card_new(arena);

	(void)state;
	card_text(card, "a", 0);
	card_text(more, "b", 0);
	card_choice(more, "x", "a.b", "");
	card_line(card, more);
	card_paragraph(card, more);
	assert_string_equal(card_plain(arena, card), "a\nb\n\nb");
	assert_non_null(card->choices->next);
	assert_null(card->choices->next->next);
}

static void
card_cuts_lose_nothing_and_fit(void **state)
{
	struct card *card = full_card(), **pieces;
	struct card *filler = card_new(arena);
	size_t count = 0, letters = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		card_text(filler, i % 2 ? "words in a row. " : "מילים בשורה. ", 0);
	card_text(filler,
	    "before " TEXT_FSI "a long isolated name that is not to be torn" TEXT_PDI " after", 0);
	card_name(filler, "a name");
	card_append(filler, card);
	pieces = card_split(arena, filler, 100);
	for (; pieces[count]; count++) {
		char *text = card_plain(arena, pieces[count]);

		assert_true(text_balanced(text));
		for (const struct span *s = pieces[count]->spans; s; s = s->next)
			letters += strlen(s->text);
		if (pieces[count + 1]) {
			assert_null(pieces[count]->choices);
			assert_null(pieces[count]->file);
		}
	}
	assert_true(count > 25);
	assert_true(letters > 3000);
	assert_string_equal(pieces[count - 1]->choices->label, "one");
	assert_non_null(pieces[count - 1]->file);
	/* What fits stays one. */
	pieces = card_split(arena, card, 4096);
	assert_null(pieces[1]);
}

/* Beside a file less fits: the text begins there and goes on in messages of its own. */
static void
card_of_a_file_begins_beside_it(void **state)
{
	struct card *card = full_card(), *filler = card_new(arena), **pieces;
	size_t count = 0, least[] = {1024, 4096, 4096};

	(void)state;
	for (int i = 0; i < 400; i++)
		card_text(filler, i % 2 ? "words in a row. " : "מילים בשורה. ", 0);
	card_append(filler, card);
	pieces = card_split_file(arena, filler, 4096, 1024);
	for (; pieces[count]; count++) {
		assert_in_range(text_scalars(card_plain(arena, pieces[count])), 1, least[count]);
		assert_true(!pieces[count]->file == (count > 0));
		assert_true(!pieces[count]->choices == (pieces[count + 1] != NULL));
	}
	assert_int_equal(count, 3);
	/* What fits beside it stays one; where there is no such limit nothing changes. */
	pieces = card_split_file(arena, card, 4096, 1024);
	assert_null(pieces[1]);
	assert_non_null(pieces[0]->file);
	assert_non_null(pieces[0]->choices);
	assert_null(card_split_file(arena, filler, 100000, 0)[1]);
}

static const struct CMUnitTest tests[] = {
    IN_ARENA(card_isolates_each_line_of_strangers_words),
    IN_ARENA(card_isolates_strangers_words),
    IN_ARENA(card_takes_no_address_with_controls),
    IN_ARENA(card_packs_and_comes_back),
    IN_ARENA(card_appends_lines_and_paragraphs),
    IN_ARENA(card_cuts_lose_nothing_and_fit),
    IN_ARENA(card_of_a_file_begins_beside_it),
};

UNIT_RUN(tests)
