#include "store/manifest.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "parts.h"

#include "base/memory.h"

enum { ENTRIES = 504 };
#define MAGIC 0x31666e616d687561 /* "auhmanf1" */
/* The clock may be slewed and read in two steps; two lives of a machine are longer apart. */
#define BOOT_SLACK_MS 2000

struct page {
	int64_t magic, boot_ms, device, inode;
	_Atomic int64_t ids[ENTRIES]; /* 0: free */
};

struct manifest {
	struct page *page;
	bool known, mapped;
};

int64_t
manifest_boot_ms(void)
{
	struct timespec wall, up;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (int64_t)(wall.tv_sec - up.tv_sec) * 1000 + (wall.tv_nsec - up.tv_nsec) / 1000000;
}

static bool
is_ours(const struct page *page, const struct stat *database, int64_t boot_ms)
{
	int64_t apart = page->boot_ms - boot_ms;

	return page->magic == MAGIC && apart <= BOOT_SLACK_MS && apart >= -BOOT_SLACK_MS &&
	       page->device == (int64_t)database->st_dev &&
	       page->inode == (int64_t)database->st_ino;
}

static struct page *
map(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *page = MAP_FAILED;

	if (fd < 0)
		return NULL;
	/* Allocated now, because a full disk would end us at the first write into the map. */
	if (!posix_fallocate(fd, 0, sizeof(struct page)))
		page = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return page == MAP_FAILED ? NULL : page;
}

struct manifest *
manifest_open(const char *database, int64_t boot_ms)
{
	char *path = parts_say("%s.lock", database);
	struct page *page = map(path);
	struct manifest *m;
	struct stat file;

	free(path);
	if (!page || stat(database, &file))
		return NULL;
	m = memory_new(sizeof(*m));
	*m = (struct manifest){.page = page, .mapped = true};
	m->known = is_ours(page, &file, boot_ms);
	if (!m->known) {
		memset(page, 0, sizeof(*page));
		page->device = (int64_t)file.st_dev;
		page->inode = (int64_t)file.st_ino;
	}
	page->boot_ms = boot_ms;
	return m;
}

void
manifest_trust(struct manifest *m)
{
	atomic_signal_fence(memory_order_seq_cst);
	m->page->magic = MAGIC;
}

struct manifest *
manifest_memory(bool known)
{
	struct manifest *m = memory_new(sizeof(*m));

	*m = (struct manifest){.page = memory_new(sizeof(struct page)), .known = known};
	memset(m->page, 0, sizeof(*m->page));
	return m;
}

void
manifest_again(struct manifest *m)
{
	m->known = m->page->magic == MAGIC;
}

void
manifest_close(struct manifest *m)
{
	if (!m)
		return;
	if (m->mapped)
		munmap(m->page, sizeof(*m->page));
	else
		free(m->page);
	free(m);
}

bool
manifest_known(const struct manifest *m)
{
	return m->known;
}

/* Where `entry` stands, looked for from the place of `id` on: numbers follow one another, so that is
 * nearly always the first look. */
static int
place_of(const struct manifest *m, int64_t id, int64_t entry)
{
	int first = (int)((uint64_t)id % ENTRIES);

	for (int i = 0; i < ENTRIES; i++) {
		int at = (first + i) % ENTRIES;

		if (m->page->ids[at] == entry)
			return at;
	}
	return -1;
}

bool
manifest_has(const struct manifest *m, int64_t id)
{
	return place_of(m, id, id) >= 0;
}

bool
manifest_enter(struct manifest *m, int64_t id)
{
	int at = place_of(m, id, 0);

	if (at < 0)
		return false;
	m->page->ids[at] = id;
	return true;
}

void
manifest_leave(struct manifest *m, int64_t id)
{
	int at = place_of(m, id, id);

	if (at >= 0)
		m->page->ids[at] = 0;
}
