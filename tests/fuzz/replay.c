// SPDX-License-Identifier: Apache-2.0
// Where libFuzzer is not: runs a fuzzer once over each file that is named.
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
run_file(const char *name)
{
    FILE *stream = fopen(name, "re");
    struct buf b = BUF_EMPTY;
    uint8_t *exact;
    size_t n;

    if (!stream) {
        fprintf(stderr, "%s: %s\n", name, errno_text(errno));
        return -errno;
    }
    do {
        buf_reserve(&b, 4096);
        n = fread(b.data + b.len, 1, 4096, stream);
        b.len += n;
    } while (n);
    fclose(stream);
    exact = xmemdup(b.data, b.len); /* Not a byte more, so that a sanitizer sees who reads past the end. */
    LLVMFuzzerTestOneInput(exact, b.len);
    free(exact);
    buf_free(&b);
    return 0;
}

int
main(int argc, char *argv[])
{
    for (int i = 1; i < argc; i++) {
        if (run_file(argv[i])) {
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
