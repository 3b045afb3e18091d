// SPDX-License-Identifier: Apache-2.0
// Errors of OpenFlow on the wire.
#include <config.h>
#include "lib/of/of.h"

#define NX_VENDOR_ERROR_TYPE 0xb0c2 /* Nicira's errors in 1.0 and 1.1, which know no experimenter error. */
#define EXPERIMENTER_TYPE 0xffff
#define MAX_ECHOED (UINT16_MAX - 24) /* Bytes of the request. All that fits: section "Error Message" asks for at least 64. */

enum say { SAY_NOT, SAY_STD, SAY_NX, SAY_NXE, SAY_ONF };

struct number {
    uint8_t say;
    uint16_t type, code;
};

#define NONE {SAY_NOT, 0, 0}
#define OF(TYPE, CODE) {SAY_STD, TYPE, CODE}
#define NX(TYPE, CODE) {SAY_NX, TYPE, CODE}
#define NXE(CODE) {SAY_NXE, EXPERIMENTER_TYPE, CODE}
#define ONF(CODE) {SAY_ONF, EXPERIMENTER_TYPE, CODE}

static const struct {
    const char *name;
    struct number numbers[OF15];
} errors[OFERR_N] = {
    [OFERR_OK] = {.name = "OK"},
#define ERROR(NAME, ...) [OFERR_##NAME] = {#NAME, {__VA_ARGS__}},
#include "lib/of/error.def"
#undef ERROR
};

const char *
of_error_name(enum of_error error)
{
    return (unsigned) error < OFERR_N ? errors[error].name : "unknown error";
}

bool
of_error_code(enum of_error error, enum of_version version, struct of_error_code *code)
{
    const struct number *n = &errors[error].numbers[version - OF10];

    if (n->say == SAY_NOT) {
        return false;
    }
    *code = (struct of_error_code){
        .vendor = n->say == SAY_STD ? 0 : n->say == SAY_ONF ? OF_VENDOR_ONF : OF_VENDOR_NX,
        .type = n->type,
        .code = n->code,
    };
    return true;
}

void
of_error_encode(enum of_error error, enum of_version version, struct slice request, struct buf *b)
{
    struct of_error_code code = {0, 0, 0};

    if (!of_error_code(error, version, &code)) {
        of_error_code(OFERR_NXBRC_UNENCODABLE_ERROR, version, &code);
    }
    if (code.vendor && version <= OF11) {
        buf_put_be16(b, NX_VENDOR_ERROR_TYPE);
        buf_put_be16(b, 0);
        buf_put_be32(b, code.vendor);
        buf_put_be16(b, code.type);
        buf_put_be16(b, code.code);
    } else {
        buf_put_be16(b, code.type);
        buf_put_be16(b, code.code);
        if (code.vendor) {
            buf_put_be32(b, code.vendor);
        }
    }
    buf_put(b, request.data, MIN(request.len, MAX_ECHOED));
}
