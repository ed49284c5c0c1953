/* What Matrix' encryption costs: one figure a line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <sodium.h>

#include "transports/matrix_megolm.h"
#include "transports/matrix_olm.h"
#include "transports/matrix_state.h"

static const unsigned char key[32] = "bench";

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
megolm(int rounds)
{
	char id[MATRIX_SESSION_TEXT], *out = matrix_megolm_new(key, id), *shared, *in, text[601];
	char **bodies = calloc((size_t)rounds, sizeof(*bodies));
	uint32_t index;
	double start;

	memset(text, 'a', 600);
	text[600] = 0;
	shared = matrix_megolm_share(out, key, &index);
	in = matrix_megolm_take(shared, key, id, &index);
	start = now_s();
	for (int i = 0; i < rounds; i++)
		bodies[i] = matrix_megolm_encrypt(&out, key, text);
	printf("Megolm encrypts 600 bytes in %.3f ms\n", (now_s() - start) / rounds * 1e3);
	start = now_s();
	for (int i = 0; i < rounds; i++)
		free(matrix_megolm_decrypt(in, key, bodies[i], &index));
	printf("Megolm decrypts 600 bytes in %.3f ms\n", (now_s() - start) / rounds * 1e3);
	for (int i = 0; i < rounds; i++)
		free(bodies[i]);
	free(bodies);
	free(out);
	free(in);
	free(shared);
}

static void
account(int rounds)
{
	struct matrix_olm *olm = matrix_olm_new();
	double start = now_s();
	char *pickle;

	for (int i = 0; i < rounds; i++)
		matrix_olm_make_keys(olm, 50);
	printf("50 one-time keys in %.1f ms\n", (now_s() - start) / rounds * 1e3);
	pickle = matrix_olm_pickle(olm, key);
	printf("an account is %zu bytes\n", strlen(pickle));
	free(pickle);
	start = now_s();
	for (int i = 0; i < rounds; i++)
		free(matrix_olm_begin(olm, key, matrix_olm_curve(olm), matrix_olm_curve(olm)));
	printf("an Olm session begins in %.2f ms\n", (now_s() - start) / rounds * 1e3);
	matrix_olm_free(olm);
}

/* 10,000 people: who they are, a room each, its two sessions and one with the device. */
static void
start_up(int rows)
{
	struct matrix_state *state = matrix_state_new(key), *again = matrix_state_new(key);
	const struct state_row *all;
	char text[800], name[64];
	double start;
	size_t count, bytes = 0;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	for (int i = 0; i < rows; i++) {
		snprintf(name, sizeof(name), "row/%d", i);
		matrix_state_put(state, name, json_string(text));
	}
	start = now_s();
	count = matrix_state_rows(state, &all);
	printf("%zu rows of 800 bytes sealed in %.2f s\n", count, now_s() - start);
	start = now_s();
	for (size_t i = 0; i < count; i++) {
		bytes += all[i].length;
		matrix_state_load(again, &all[i]);
	}
	printf("%zu rows, %zu MB, opened in %.2f s\n", count, bytes >> 20, now_s() - start);
	matrix_state_free(state);
	matrix_state_free(again);
}

int
main(void)
{
	if (sodium_init() < 0)
		return 1;
	megolm(2000);
	account(20);
	start_up(50000);
	return 0;
}
