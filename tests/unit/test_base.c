// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/base/heap.h"
#include "lib/base/list.h"
#include "lib/base/loop.h"
#include "lib/base/rcu.h"

static void
test_parse(void **state)
{
    uint64_t v = 7;

    assert_int_equal(parse_u64("18446744073709551615", UINT64_MAX, &v), 0);
    assert_true(v == UINT64_MAX);
    assert_int_equal(parse_u64("18446744073709551616", UINT64_MAX, &v), -ERANGE);
    assert_true(v == UINT64_MAX);
    assert_int_equal(parse_u64("0xFf", 255, &v), 0);
    assert_int_equal(v, 255);
    assert_int_equal(parse_u64("256", 255, &v), -ERANGE);
    assert_int_equal(parse_u64("", 255, &v), -EINVAL);
    assert_int_equal(parse_u64("0x", 255, &v), -EINVAL);
    assert_int_equal(parse_u64("-1", 255, &v), -EINVAL);
    assert_int_equal(parse_u64(" 1", 255, &v), -EINVAL);
    assert_int_equal(parse_u64("1a", 255, &v), -EINVAL);
    assert_int_equal(parse_u64("99999999999999999999x", 255, &v), -EINVAL);
    assert_int_equal(v, 255);
    assert_string_equal(errno_text(-ENOENT), errno_text(ENOENT));
}

static void
test_buf(void **state)
{
    struct buf b = BUF_EMPTY;
    struct slice s;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    uint8_t u8 = 0;
    char *text;

    buf_put_u8(&b, 1);
    buf_pad(&b, 4);
    buf_put_be16(&b, 0x1234);
    buf_put_be32(&b, 0x56789abc);
    buf_put_be64(&b, 0x0102030405060708);
    assert_int_equal(b.len, 18);
    s = slice_of(b.data, b.len);
    assert_true(slice_get_u8(&s, &u8) && u8 == 1);
    assert_non_null(slice_pull(&s, 3));
    assert_true(slice_get_be16(&s, &u16) && u16 == 0x1234);
    assert_true(slice_get_be32(&s, &u32) && u32 == 0x56789abc);
    assert_true(slice_get_be64(&s, &u64) && u64 == 0x0102030405060708);
    assert_false(slice_get_u8(&s, &u8));
    assert_int_equal(u8, 1);

    buf_clear(&b);
    for (int i = 0; i < 100; i++) {
        buf_putf(&b, "%d,", i);
    }
    buf_chomp(&b, ',');
    buf_chomp(&b, ',');
    text = buf_steal_text(&b);
    assert_int_equal(strlen(text), 289);
    assert_null(b.data);
    free(text);

    buf_put_hex_dump(&b, "0123456789abcdefX", 17, 16);
    assert_string_equal(buf_text(&b),
                        "00000010  30 31 32 33 34 35 36 37-38 39 61 62 63 64 65 66 |0123456789abcdef|\n"
                        "00000020  58                                              |X               |\n");
    buf_free(&b);
}

struct element {
    struct hnode node;
    uint32_t value;
};

static void
test_htable(void **state)
{
    enum { N = 1000 };
    struct element *elements = xcalloc(N, sizeof *elements);
    struct htable t;
    size_t n = 0;

    htable_init(&t);
    assert_null(htable_next(&t, NULL));
    for (uint32_t i = 0; i < N; i++) {
        elements[i].value = i;
        htable_insert(&t, &elements[i].node, i % 7 ? hash_u64(i, 0) : 42); /* Some share a hash. */
    }
    for (struct hnode *h = NULL; (h = htable_next(&t, h));) {
        n++;
    }
    assert_int_equal(n, N);
    n = 0;
    for (struct hnode *h = htable_first_with_hash(&t, 42); h; h = htable_next_with_hash(h)) {
        assert_int_equal(CONTAINER_OF(h, struct element, node)->value % 7, 0);
        n++;
    }
    assert_int_equal(n, DIV_ROUND_UP(N, 7));
    for (uint32_t i = 0; i < N; i += 2) {
        htable_remove(&t, &elements[i].node);
    }
    assert_int_equal(t.n, N / 2);
    n = 0;
    for (struct hnode *h = htable_next(&t, NULL), *next; h; h = next) {
        next = htable_next(&t, h);
        assert_int_equal(CONTAINER_OF(h, struct element, node)->value % 2, 1);
        htable_remove(&t, h);
        n++;
    }
    assert_int_equal(n, N / 2);
    htable_destroy(&t);
    free(elements);
}

struct journal {
    struct loop *loop;
    struct loop_timer *timer;
    char text[64];
    unsigned n_posts, n_released;
};

static void
note_idle(void *j_)
{
    struct journal *j = j_;

    strcat(j->text, "i");
}

static void
note_timer(void *j_)
{
    struct journal *j = j_;

    strcat(j->text, "t");
    if (strlen(j->text) < 8) {
        loop_idle(j->loop, note_idle, j);
        loop_idle(j->loop, note_idle, j); /* Coalesced. */
        loop_timer_set(j->timer, 0);
    } else {
        loop_stop(j->loop, 5);
    }
}

static void
test_loop_order(void **state)
{
    struct journal j = {.loop = loop_create()};

    j.timer = loop_timer_add(j.loop, note_timer, &j);
    assert_false(loop_timer_armed(j.timer));
    loop_timer_set(j.timer, 1);
    assert_true(loop_timer_armed(j.timer));
    loop_idle(j.loop, note_idle, &j);
    assert_int_equal(loop_run(j.loop), 5);
    assert_string_equal(j.text, "itititit");
    loop_timer_del(j.timer);
    loop_destroy(j.loop);
}

static void
note_spare(void *j_)
{
    struct journal *j = j_;

    strcat(j->text, "s");
}

static void
spare_and_stop(void *j_)
{
    struct journal *j = j_;

    strcat(j->text, "t");
    loop_spare(j->loop, note_spare, j);
    loop_spare(j->loop, note_spare, j); /* Coalesced. */
    loop_run_spare(j->loop);
    loop_run_spare(j->loop);
    loop_spare(j->loop, note_spare, j);
    loop_spare_forget(j->loop, note_spare, j);
    loop_spare_forget(j->loop, note_spare, j);
    loop_stop(j->loop, 0);
}

static void
test_loop_spare(void **state)
{
    struct journal j = {.loop = loop_create()};

    j.timer = loop_timer_add(j.loop, spare_and_stop, &j);
    loop_timer_set(j.timer, 0);
    loop_spare(j.loop, note_spare, &j);
    loop_idle(j.loop, note_idle, &j);
    assert_int_equal(loop_run(j.loop), 0);
    assert_string_equal(j.text, "ists");
    loop_timer_del(j.timer);
    loop_destroy(j.loop);
}

enum { N_POSTS = 20000 };

static void
release(void *j_)
{
    struct journal *j = j_;

    __atomic_fetch_add(&j->n_released, 1, __ATOMIC_RELAXED);
}

static void
release_twice(void *j_)
{
    release(j_);
    rcu_postpone(release, j_);
}

static void
count_post(void *j_)
{
    struct journal *j = j_;

    rcu_postpone(release_twice, j);
    if (++j->n_posts == 2 * N_POSTS) {
        loop_stop(j->loop, 0);
    }
}

static void
post_many(void *j_)
{
    struct journal *j = j_;

    for (int i = 0; i < N_POSTS; i++) {
        loop_post(j->loop, count_post, j);
        rcu_quiescent();
    }
}

static void
test_posts_and_rcu(void **state)
{
    struct journal j = {.loop = loop_create()};
    pthread_t a = rcu_thread_create("a", post_many, &j);
    pthread_t b = rcu_thread_create("b", post_many, &j);

    assert_int_equal(loop_run(j.loop), 0);
    assert_int_equal(j.n_posts, 2 * N_POSTS);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    rcu_drain();
    assert_int_equal(j.n_released, 4 * N_POSTS);
    loop_destroy(j.loop);
}

/* Against a look at all of them, through changes in no order. */
static void
test_heap(void **state)
{
    struct heap_node nodes[50] = {{.place = 0}};
    struct heap h = {.n = 0};
    uint32_t chance = 1;

    assert_null(heap_least(&h));
    for (unsigned step = 0; step < 5000; step++) {
        struct heap_node *node;
        uint64_t least = UINT64_MAX;
        size_t n = 0;

        chance = chance * 1664525 + 1013904223;
        node = &nodes[(chance >> 8) % ARRAY_SIZE(nodes)];
        if (chance >> 30) {
            heap_put(&h, node, (chance >> 16) % 30);
        } else {
            heap_remove(&h, node);
            assert_int_equal(node->place, 0);
        }
        for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
            n += nodes[i].place != 0;
            least = nodes[i].place ? MIN(least, nodes[i].value) : least;
        }
        assert_int_equal(h.n, n);
        assert_true(n ? heap_least(&h)->value == least : !heap_least(&h));
    }
    heap_destroy(&h);
    assert_int_equal(nodes[0].place, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),         cmocka_unit_test(test_buf),
        cmocka_unit_test(test_htable),        cmocka_unit_test(test_heap),
        cmocka_unit_test(test_loop_order),
        cmocka_unit_test(test_loop_spare),
        cmocka_unit_test(test_posts_and_rcu),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
