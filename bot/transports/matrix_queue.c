#include "transports/matrix_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { OUT_MAX = 8, PAUSE_MS = 1000, PAUSE_MAX_MS = 300 * 1000 };

struct matrix_queue {
	struct matrix_job *first;
	int64_t cookie;
	int out;
};

static const char *const labels[] = {
    [MATRIX_KIND_OWN] = "matrix.own",
    [MATRIX_KIND_UPLOAD] = "matrix.keys",
    [MATRIX_KIND_IDENTITY] = "matrix.identity",
    [MATRIX_KIND_SIGNATURES] = "matrix.signatures",
    [MATRIX_KIND_QUERY] = "matrix.devices",
    [MATRIX_KIND_CLAIM] = "matrix.claim",
    [MATRIX_KIND_ROOM] = "matrix.room",
    [MATRIX_KIND_MEMBERS] = "matrix.members",
    [MATRIX_KIND_TO_DEVICE] = "matrix.todevice",
};

struct matrix_queue *
matrix_queue_new(void)
{
	return memory_new(sizeof(struct matrix_queue));
}

static void
append(struct matrix_queue *queue, struct matrix_job *job)
{
	struct matrix_job **end = &queue->first;

	while (*end)
		end = &(*end)->next;
	*end = job;
}

void
matrix_queue_clear(struct matrix_queue *queue)
{
	while (queue->first) {
		struct matrix_job *job = queue->first;

		queue->first = job->next;
		matrix_queue_end(job);
	}
	queue->out = 0;
}

void
matrix_queue_free(struct matrix_queue *queue)
{
	if (!queue)
		return;
	matrix_queue_clear(queue);
	free(queue);
}

void
matrix_queue_add(struct matrix_queue *queue, enum matrix_kind kind, const char *method,
    const char *path, json_t *body, const char *subject, json_t *note)
{
	struct matrix_job *job = memory_new(sizeof(*job));

	job->kind = kind;
	job->request = (struct matrix_request){
	    .cookie = ++queue->cookie,
	    .method = method,
	    .path = memory_string(path),
	    .body = body ? json_dumps(body, JSON_COMPACT) : NULL,
	    .label = labels[kind],
	    .password_helps = kind == MATRIX_KIND_IDENTITY,
	};
	if (body && !job->request.body)
		memory_exhausted();
	json_decref(body);
	job->subject = subject ? memory_string(subject) : NULL;
	job->note = note;
	append(queue, job);
}

bool
matrix_queue_has(const struct matrix_queue *queue, enum matrix_kind kind, const char *subject)
{
	for (const struct matrix_job *job = queue->first; job; job = job->next)
		if (job->kind == kind &&
		    (!subject || (job->subject && strcmp(job->subject, subject) == 0)))
			return true;
	return false;
}

const struct matrix_request *
matrix_queue_next(struct matrix_queue *queue, int64_t now_ms)
{
	for (struct matrix_job *job = queue->first; job && queue->out < OUT_MAX; job = job->next)
		if (!job->out && job->not_before_ms <= now_ms) {
			job->out = true;
			queue->out++;
			return &job->request;
		}
	return NULL;
}

struct matrix_job *
matrix_queue_take(struct matrix_queue *queue, int64_t cookie)
{
	struct matrix_job **at = &queue->first, *job;

	while (*at && (!(*at)->out || (*at)->request.cookie != cookie))
		at = &(*at)->next;
	job = *at;
	if (!job)
		return NULL;
	*at = job->next;
	job->next = NULL;
	job->out = false;
	queue->out--;
	return job;
}

void
matrix_queue_again(
    struct matrix_queue *queue, struct matrix_job *job, int64_t after_ms, int64_t now_ms)
{
	int64_t pause = job->tries < 9 ? (int64_t)PAUSE_MS << job->tries : PAUSE_MAX_MS;

	if (pause > PAUSE_MAX_MS)
		pause = PAUSE_MAX_MS;
	job->tries++;
	job->not_before_ms = now_ms + (after_ms > pause ? after_ms : pause);
	append(queue, job);
}

void
matrix_queue_end(struct matrix_job *job)
{
	free((void *)(uintptr_t)job->request.path);
	free((void *)(uintptr_t)job->request.body);
	free(job->subject);
	json_decref(job->note);
	free(job);
}

int64_t
matrix_queue_due_ms(const struct matrix_queue *queue)
{
	int64_t due = INT64_MAX;

	for (const struct matrix_job *job = queue->first; job && queue->out < OUT_MAX;
	     job = job->next)
		if (!job->out && job->not_before_ms < due)
			due = job->not_before_ms;
	return due;
}

char *
matrix_queue_escape(const char *text)
{
	static const char kept[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-._~";
	char *out = memory_new(strlen(text) * 3 + 1), *at = out;

	for (; *text; text++)
		if (strchr(kept, *text)) {
			*at++ = *text;
		} else {
			*at++ = '%';
			*at++ = "0123456789ABCDEF"[(unsigned char)*text >> 4];
			*at++ = "0123456789ABCDEF"[(unsigned char)*text & 15];
		}
	return out;
}
