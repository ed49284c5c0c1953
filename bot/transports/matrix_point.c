#include "transports/matrix_point.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/memory.h"

bool
matrix_point_decode(const char *text, unsigned char *out, size_t bytes)
{
	size_t length = text ? strlen(text) : 0, got = 0;
	const char *end = NULL;

	while (length && text[length - 1] == '=')
		length--;
	if (length != (bytes * 4 + 2) / 3)
		return false;
	return sodium_base642bin(out, bytes, text, length, NULL, &got, &end,
		   sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
	       got == bytes && end == text + length;
}

void
matrix_point_encode(const unsigned char *in, size_t bytes, char *out)
{
	sodium_bin2base64(
	    out, bytes * 4 / 3 + 4, in, bytes, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

/* The seven encodings of a point of low order, the list of libsodium (x25519_ref10.c) and of
 * cr.yp.to/ecdh.html, compared with the top bit masked. */
bool
matrix_point_good(const unsigned char point[MATRIX_KEY_BYTES])
{
	static const unsigned char low[7][MATRIX_KEY_BYTES] = {
	    {0},
	    {1},
	    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
		0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16,
		0x5f, 0x49, 0xb8, 0x00},
	    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83,
		0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd,
		0xd0, 0x9f, 0x11, 0x57},
	    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0x7f},
	    {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0x7f},
	    {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0x7f},
	};

	for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++)
		if (memcmp(point, low[i], MATRIX_KEY_BYTES - 1) == 0 &&
		    (point[MATRIX_KEY_BYTES - 1] & 0x7f) == low[i][MATRIX_KEY_BYTES - 1])
			return false;
	return true;
}

bool
matrix_point_text_good(const char *text)
{
	unsigned char point[MATRIX_KEY_BYTES];

	return matrix_point_decode(text, point, sizeof(point)) && matrix_point_good(point);
}

/* Length-delimited field of an Olm message: tag, varint length, bytes. Varint fields are skipped.
 * Answers the bytes behind it, or NULL when the message is cut. */
static const unsigned char *
field(const unsigned char *p, const unsigned char *end, int *tag, const unsigned char **data,
    size_t *length)
{
	uint64_t n = 0;
	int shift = 0;

	*tag = *p++;
	do {
		if (p >= end || shift > 28)
			return NULL;
		n |= (uint64_t)(*p & 0x7f) << shift;
		shift += 7;
	} while (*p++ & 0x80);
	*data = NULL;
	*length = 0;
	if ((*tag & 7) == 0)
		return p;
	if ((*tag & 7) != 2 || n > (uint64_t)(end - p))
		return NULL;
	*data = p;
	*length = (size_t)n;
	return p + n;
}

static bool
points_good(const unsigned char *p, const unsigned char *end, bool prekey)
{
	/* Version byte, then fields; in a pre-key message 1, 2, 3 are points and 4 is a message,
	 * in a message 1 is the ratchet key. */
	if (p >= end || *p++ != 3)
		return false;
	while (p < end) {
		const unsigned char *data;
		size_t length;
		int tag;

		/* A message ends with its MAC of 8 bytes, which is no field. */
		if (!prekey && end - p <= 8)
			break;
		p = field(p, end, &tag, &data, &length);
		if (!p)
			return false;
		if (prekey && tag == 0x22) {
			if (!points_good(data, data + length, false))
				return false;
		} else if (tag == 0x0a || (prekey && (tag == 0x12 || tag == 0x1a))) {
			if (length != MATRIX_KEY_BYTES || !matrix_point_good(data))
				return false;
		}
	}
	return true;
}

bool
matrix_point_olm_good(int type, const char *body)
{
	size_t length = strlen(body), got = 0;
	unsigned char *raw = memory_new(length + 1);
	bool good;

	while (length && body[length - 1] == '=')
		length--;
	good = sodium_base642bin(raw, length + 1, body, length, NULL, &got, NULL,
		   sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
	       points_good(raw, raw + got, type == 0);
	free(raw);
	return good;
}
