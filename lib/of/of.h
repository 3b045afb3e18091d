// SPDX-License-Identifier: Apache-2.0
// OpenFlow in words of C: versions, reserved numbers, errors. Numbers are those of the OpenFlow specifications 1.0.2 to 1.5.1 and of Nicira's extensions.
#ifndef LIB_OF_OF_H
#define LIB_OF_OF_H 1

#include "lib/base/buf.h"
#include "lib/flow/match.h"

enum of_version { OF_NONE, OF10 = 0x01, OF11 = 0x02, OF12 = 0x03, OF13 = 0x04, OF14 = 0x05, OF15 = 0x06 };
#define OF_VERSIONS_ALL (1u << OF10 | 1u << OF11 | 1u << OF12 | 1u << OF13 | 1u << OF14 | 1u << OF15)
const char *of_version_name(enum of_version);        /* "OpenFlow13"; "unknown". */
enum of_version of_version_by_name(const char *);    /* "OpenFlow13", "1.3"; OF_NONE. */

/* Port numbers are 32 bits wide inside; OpenFlow 1.0's 16-bit reserved numbers are mapped at the wire. */
#define OFPP_MAX 0xffffff00u /* OpenFlow 1.0: 0xff00. Numbers of real ports are below 0xff00 as in the installed daemon. */
#define OFPP_UNSET 0xfffffff7u
#define OFPP_IN_PORT 0xfffffff8u
#define OFPP_TABLE 0xfffffff9u
#define OFPP_NORMAL 0xfffffffau
#define OFPP_FLOOD 0xfffffffbu
#define OFPP_ALL 0xfffffffcu
#define OFPP_CONTROLLER 0xfffffffdu
#define OFPP_LOCAL 0xfffffffeu
#define OFPP_ANY 0xffffffffu /* OpenFlow 1.0: NONE. */
#define OFPP_NONE OFPP_ANY
#define OFP10_PORT_MAX 0xff00u
void of_port_format(uint32_t port, const struct port_names *, struct buf *); /* "1", "LOCAL", a name in quotes if needed. */
bool of_port_parse(const char *, const struct port_names *, uint32_t *);
uint32_t of_port_from_wire16(be16);
be16 of_port_to_wire16(uint32_t);
bool of_port_from_wire32(be32, uint32_t *); /* false: neither reserved nor a number that OpenFlow 1.0 could say. */

#define OFPG_MAX 0xffffff00u
#define OFPG_ALL 0xfffffffcu
#define OFPG_ANY 0xffffffffu
#define OFPTT_ALL 0xff
#define OFP_DEFAULT_PRIORITY 0x8000
#define OFP_NO_BUFFER 0xffffffffu
#define OFPQ_ANY 0xffffffffu
#define OFPCML_NO_BUFFER 0xffff

enum of_packet_in_reason { OFPR_NO_MATCH, OFPR_ACTION, OFPR_INVALID_TTL, OFPR_ACTION_SET, OFPR_GROUP, OFPR_PACKET_OUT, OFPR_EXPLICIT_MISS, OFPR_IMPLICIT_MISS /* The last two are ours: on the wire of before 1.3 ACTION, from then on NO_MATCH. */ };
enum of_flow_removed_reason { OFPRR_IDLE_TIMEOUT, OFPRR_HARD_TIMEOUT, OFPRR_DELETE, OFPRR_GROUP_DELETE, OFPRR_METER_DELETE, OFPRR_EVICTION };
enum of_port_reason { OFPPR_ADD, OFPPR_DELETE, OFPPR_MODIFY };

/* Errors of OpenFlow: lib/of/error.def has a row each, ERROR(NAME, its number in 1.0, 1.1, 1.2, 1.3, 1.4, 1.5); OFERR_OFPBMC_BAD_PREREQ and so on.
 * Functions here return 0 or one of these, positive, so that they never collide with -errno. */
enum of_error {
    OFERR_OK,
#define ERROR(NAME, ...) OFERR_##NAME,
#include "lib/of/error.def"
#undef ERROR
    OFERR_N
};
const char *of_error_name(enum of_error); /* "OFPBMC_BAD_PREREQ". */

/* What stands for an error in one version. */
struct of_error_code {
    uint32_t vendor;     /* 0: the specification's. */
    uint16_t type, code; /* 'code' alone for experimenters of 1.2 and later. */
};
bool of_error_code(enum of_error, enum of_version, struct of_error_code *); /* false: that version cannot say it. */
/* Appends the body of an OFPT_ERROR: numbers, and what provoked it ('request' is the whole message). What a version
 * cannot say is sent as NXBRC_UNENCODABLE_ERROR. */
void of_error_encode(enum of_error, enum of_version, struct slice request, struct buf *);

#define OF_VENDOR_NX 0x00002320u
#define OF_VENDOR_ONF 0x4f4e4600u

#endif
