#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "address.h"

struct range {
	uint32_t first;
	int bits;
};

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (d))

static const struct range not_public[] = {
    {IP(0, 0, 0, 0), 8},
    {IP(10, 0, 0, 0), 8},
    {IP(100, 64, 0, 0), 10},
    {IP(127, 0, 0, 0), 8},
    {IP(169, 254, 0, 0), 16},
    {IP(172, 16, 0, 0), 12},
    {IP(192, 0, 0, 0), 24},
    {IP(192, 0, 2, 0), 24},
    {IP(192, 88, 99, 0), 24},
    {IP(192, 168, 0, 0), 16},
    {IP(198, 18, 0, 0), 15},
    {IP(198, 51, 100, 0), 24},
    {IP(203, 0, 113, 0), 24},
    {IP(224, 0, 0, 0), 4},
    {IP(240, 0, 0, 0), 4},
};

static bool
public4(uint32_t ip)
{
	size_t i;

	for (i = 0; i < sizeof(not_public) / sizeof(not_public[0]); i++)
		if ((ip ^ not_public[i].first) >> (32 - not_public[i].bits) == 0)
			return false;
	return true;
}

/* Global unicast is 2000::/3; of it 2001::/23 (Teredo and others), documentation and 6to4 are not
 * places. All that maps or translates IPv4 lies outside or in these. */
static bool
public6(const uint8_t *a)
{
	unsigned first = (unsigned)a[0] << 8 | a[1];
	unsigned second = (unsigned)a[2] << 8 | a[3];

	if ((a[0] & 0xe0) != 0x20)
		return false;
	if (first == 0x2001 && (second < 0x0200 || second == 0x0db8))
		return false;
	return first != 0x2002 && !(first == 0x3fff && second < 0x1000);
}

bool
address_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;

		return IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
	}
	return false;
}

bool
address_public(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

		return public4(ntohl(in->sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;

		return public6(in->sin6_addr.s6_addr);
	}
	return false;
}

bool
address_private(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
		uint32_t ip = ntohl(in->sin_addr.s_addr);

		return ip >> 24 == 10 || ip >> 20 == IP(172, 16, 0, 0) >> 20 ||
		       ip >> 16 == IP(192, 168, 0, 0) >> 16;
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)address;

		return (in->sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
	}
	return false;
}
