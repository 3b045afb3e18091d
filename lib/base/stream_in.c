// SPDX-License-Identifier: Apache-2.0
// What was received and not taken yet lies in one piece of memory that stays with the stream: a tool that sends small requests is served out of the same few lines
// of the cache.
#include <config.h>
#include <sys/socket.h>
#include "lib/base/stream_private.h"

#define BUFFER_BYTES (32 * 1024)  /* Of a stream of which not much waits, and what is received at once. */
#define ROOM_MIN (16 * 1024)      /* To receive into. */
#define PROMPT_US 50              /* How long the next request of a prompt peer is looked for before the loop sleeps. */
#define PROMPT_ASLEEP_US 150      /* The same request as seen by who sleeps: waking takes its time. */
#define PROMPT_REQUESTS 16        /* In a row that make a peer a prompt one. */

static void
make_room(struct buf *bytes, size_t *taken)
{
    if (bytes->allocated - bytes->len < ROOM_MIN) {
        if (*taken) {
            bytes->len -= *taken;
            memmove(bytes->data, bytes->data + *taken, bytes->len);
            *taken = 0;
        }
        buf_reserve(bytes, bytes->len ? ROOM_MIN : BUFFER_BYTES);
    }
}

static ssize_t
receive(struct stream_in *in, int fd)
{
    ssize_t n;

    make_room(&in->bytes, &in->taken);
    n = recv(fd, in->bytes.data + in->bytes.len, MIN(in->bytes.allocated - in->bytes.len, (size_t) BUFFER_BYTES), MSG_DONTWAIT);
    if (n < 0) {
        return -errno;
    }
    in->bytes.len += (size_t) n;
    return n;
}

/* Notes how soon after an answer the peer has something to say again. One that was prompt for long may be late once: it may have lost its processor. */
static void
note_promptness(struct stream_in *in, bool prompt)
{
    in->n_prompt = prompt ? MIN(in->n_prompt + 1, 2 * PROMPT_REQUESTS) : in->n_prompt / 2;
}

bool
stream_in_is_prompt(const struct stream_in *in)
{
    return in->n_prompt >= PROMPT_REQUESTS;
}

ssize_t
stream_in_receive(struct stream_in *in, int fd)
{
    ssize_t n = receive(in, fd);

    if (in->answered && n > 0) {
        note_promptness(in, now_us() - in->when < PROMPT_ASLEEP_US);
        in->answered = false;
    }
    return n;
}

/* To sleep until the peer has read its answer, and to be woken again, costs the daemon as much as to look for the next request, and the peer twice the time. What
 * can be done meanwhile is done. */
ssize_t
stream_in_receive_next(struct stream_in *in, int fd, struct loop *loop)
{
    ssize_t n;

    if (!in->answered || !stream_in_is_prompt(in)) {
        return stream_in_receive(in, fd);
    }
    loop_run_spare(loop);
    heap_touch_ahead(); /* Most requests make something. */
    do {
        n = receive(in, fd);
    } while (n == -EAGAIN && now_us() - in->when < PROMPT_US);
    note_promptness(in, n != -EAGAIN);
    in->answered = n < 0;
    return n;
}

void
stream_in_answered(struct stream_in *in)
{
    in->answered = true;
    in->when = now_us();
}

struct slice
stream_in_bytes(const struct stream_in *in)
{
    size_t len = in->bytes.len - in->taken;

    return slice_of(len ? in->bytes.data + in->taken : NULL, len);
}

void
stream_in_take(struct stream_in *in, size_t n)
{
    in->taken += n;
    if (in->taken < in->bytes.len) {
        return;
    }
    in->taken = 0;
    if (in->bytes.allocated > BUFFER_BYTES) {
        buf_free(&in->bytes);
    } else {
        buf_clear(&in->bytes);
    }
}

void
stream_in_free(struct stream_in *in)
{
    buf_free(&in->bytes);
    in->taken = 0;
}
