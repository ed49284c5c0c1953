/* Sealing: boxes that open only as what they were, hashes, the key file, sealed files. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "store/seal.h"

#include "folder.h"

struct safe {
	struct seal *seal;
	struct arena *arena;
	char folder[64];
};

static int
safe_begin(void **state)
{
	struct safe *s = calloc(1, sizeof(*s));
	unsigned char key[SEAL_KEY_BYTES] = "a key for the tests only";

	snprintf(s->folder, sizeof(s->folder), "build/seal-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	s->seal = seal_from(key);
	s->arena = arena_new();
	*state = s;
	return 0;
}

static int
safe_end(void **state)
{
	struct safe *s = *state;

	seal_close(s->seal);
	arena_free(s->arena);
	assert_true(remove_folder(s->folder));
	free(s);
	return 0;
}

static void
store_sealed_opens_only_as_what_it_was(void **state)
{
	struct safe *s = *state;
	struct blob slot = seal_slot_new(s->seal, s->arena, 7), plain = {"a word", 6}, box, out;
	struct blob other = seal_slot_new(s->seal, s->arena, 7);

	box = seal_box(s->seal, s->arena, slot, 7, "inbox.body", plain);
	assert_null(memmem(box.bytes, box.length, plain.bytes, plain.length));
	out = seal_unbox(s->seal, s->arena, slot, 7, "inbox.body", box);
	assert_int_equal(out.length, 6);
	assert_string_equal(out.bytes, "a word");
	assert_null(seal_unbox(s->seal, s->arena, slot, 7, "outbox.body", box).bytes);
	assert_null(seal_unbox(s->seal, s->arena, slot, 8, "inbox.body", box).bytes);
	assert_null(seal_unbox(s->seal, s->arena, other, 7, "inbox.body", box).bytes);
	assert_null(
	    seal_unbox(s->seal, s->arena, (struct blob){NULL, 0}, 7, "inbox.body", box).bytes);
	assert_null(seal_box(s->seal, s->arena, slot, 7, "x", (struct blob){NULL, 0}).bytes);
	box = seal_box(s->seal, s->arena, (struct blob){NULL, 0}, 0, "state", (struct blob){"", 0});
	out = seal_unbox(s->seal, s->arena, (struct blob){NULL, 0}, 0, "state", box);
	assert_non_null(out.bytes);
	assert_int_equal(out.length, 0);
}

static void
store_an_overwritten_slot_ends_everything(void **state)
{
	struct safe *s = *state;
	struct blob slot = seal_slot_new(s->seal, s->arena, 7), plain = {"a word", 6};
	struct blob box = seal_box(s->seal, s->arena, slot, 7, "p", plain);
	struct blob zeros = {arena_alloc(s->arena, slot.length), slot.length};

	assert_null(seal_unbox(s->seal, s->arena, zeros, 7, "p", box).bytes);
	assert_null(seal_box(s->seal, s->arena, zeros, 7, "p", plain).bytes);
}

static void
store_a_damaged_box_does_not_open(void **state)
{
	struct safe *s = *state;
	struct blob slot = seal_slot_new(s->seal, s->arena, 7), plain = {"a word", 6};
	struct blob box = seal_box(s->seal, s->arena, slot, 7, "p", plain);

	for (size_t i = 0; i < box.length * 8; i++) {
		char *bad = arena_copy(s->arena, box.bytes, box.length);

		bad[i / 8] ^= (char)(1 << i % 8);
		assert_null(
		    seal_unbox(s->seal, s->arena, slot, 7, "p", (struct blob){bad, box.length})
			.bytes);
	}
	for (size_t n = 0; n < box.length; n++)
		assert_null(
		    seal_unbox(s->seal, s->arena, slot, 7, "p", (struct blob){box.bytes, n}).bytes);
}

static void
store_hashes_are_the_same_under_one_key_only(void **state)
{
	struct safe *s = *state;
	unsigned char a[SEAL_HASH_BYTES], b[SEAL_HASH_BYTES];
	struct seal *other = seal_from((const unsigned char *)"another key of thirty-two bytes.");

	seal_hash(s->seal, "telegram", "12345", 5, a);
	seal_hash(s->seal, "telegram", "12345", 5, b);
	assert_memory_equal(a, b, sizeof(a));
	seal_hash(s->seal, "matrix", "12345", 5, b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_hash(s->seal, "telegram1", "2345", 4, b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_hash(other, "telegram", "12345", 5, b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_fingerprint(s->seal, a);
	seal_fingerprint(other, b);
	assert_memory_not_equal(a, b, sizeof(a));
	seal_close(other);
}

static void
store_the_key_file_is_made_once_and_checked(void **state)
{
	struct safe *s = *state;
	unsigned char a[SEAL_HASH_BYTES], b[SEAL_HASH_BYTES];
	char path[128], *why;
	struct seal *seal;
	struct stat st;

	snprintf(path, sizeof(path), "%s/key", s->folder);
	assert_null(seal_open(path, false, &why));
	assert_non_null(strstr(why, path));
	free(why);
	seal = seal_open(path, true, &why);
	assert_non_null(seal);
	seal_fingerprint(seal, a);
	seal_close(seal);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, SEAL_KEY_BYTES);
	seal = seal_open(path, true, &why);
	seal_fingerprint(seal, b);
	seal_close(seal);
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(truncate(path, 31), 0);
	assert_null(seal_open(path, true, &why));
	assert_non_null(strstr(why, "32 random bytes"));
	free(why);
	snprintf(path, sizeof(path), "%s/no/key", s->folder);
	assert_null(seal_open(path, true, &why));
	free(why);
}

static void
file_write(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static void
must_fail(char *why)
{
	assert_non_null(why);
	free(why);
}

static bool
read_bytes(void *ctx, void *bytes, size_t length, int64_t at)
{
	memcpy(bytes, (const char *)ctx + at, length);
	return true;
}

/* Every sealed file of this size comes back, and no damaged one does. */
static void
file_round(struct safe *s, size_t size)
{
	char sealed[96], back[96], *bytes = malloc(size + 1), *now;
	struct seal_source from = {"the bytes", (int64_t)size, bytes, read_bytes};
	size_t n = 0, whole;

	snprintf(sealed, sizeof(sealed), "%s/sealed", s->folder);
	snprintf(back, sizeof(back), "%s/back", s->folder);
	memset(bytes, 'x', size);
	assert_null(seal_pour(s->seal, &from, sealed));
	assert_null(seal_compare(s->seal, sealed, &from));
	bytes[size] = 'y';
	from.length++;
	must_fail(seal_compare(s->seal, sealed, &from));
	if (size) {
		from.length--;
		bytes[size / 2] ^= 1;
		must_fail(seal_compare(s->seal, sealed, &from));
		bytes[size / 2] ^= 1;
	}
	assert_null(seal_unfile(s->seal, sealed, back));
	now = unit_read(back, &n);
	assert_int_equal(n, size);
	assert_memory_equal(now, bytes, size);
	free(now);
	now = unit_read(sealed, &whole);
	unlink(back);
	for (size_t cut = 0; cut < whole; cut += 1 + whole / 7) {
		file_write(sealed, now, cut);
		must_fail(seal_unfile(s->seal, sealed, back));
		now[cut] ^= 4;
		file_write(sealed, now, whole);
		now[cut] ^= 4;
		must_fail(seal_unfile(s->seal, sealed, back));
	}
	now[whole] = 'y';
	file_write(sealed, now, whole + 1);
	must_fail(seal_unfile(s->seal, sealed, back));
	assert_int_equal(access(back, F_OK), -1); /* nothing unverified under its name */
	free(now);
	free(bytes);
}

static void
store_sealed_files_come_back_or_say_why(void **state)
{
	const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		file_round(*state, sizes[i]);
}

static unsigned char next_byte;

static void
bytes_in_a_row(void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((unsigned char *)bytes)[i] = next_byte++;
}

static void
store_randomness_may_come_from_a_seed(void **state)
{
	struct safe *s = *state;
	struct blob a, b;

	seal_random_from(bytes_in_a_row);
	next_byte = 3;
	a = seal_slot_new(s->seal, s->arena, 1);
	next_byte = 3;
	b = seal_slot_new(s->seal, s->arena, 1);
	seal_random_from(NULL);
	assert_int_equal(a.length, b.length);
	assert_memory_equal(a.bytes, b.bytes, a.length);
	b = seal_slot_new(s->seal, s->arena, 1);
	assert_memory_not_equal(a.bytes, b.bytes, a.length);
}

#define IN_SAFE(test) cmocka_unit_test_setup_teardown(test, safe_begin, safe_end)

static const struct CMUnitTest tests[] = {
    IN_SAFE(store_sealed_opens_only_as_what_it_was),
    IN_SAFE(store_an_overwritten_slot_ends_everything),
    IN_SAFE(store_a_damaged_box_does_not_open),
    IN_SAFE(store_hashes_are_the_same_under_one_key_only),
    IN_SAFE(store_the_key_file_is_made_once_and_checked),
    IN_SAFE(store_sealed_files_come_back_or_say_why),
    IN_SAFE(store_randomness_may_come_from_a_seed),
};

UNIT_RUN(tests)
