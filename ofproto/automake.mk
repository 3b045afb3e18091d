# Sources of ofproto.
libsluice_a_SOURCES += \
	ofproto/bridge.c ofproto/bridge.h ofproto/commands.c ofproto/commands.h ofproto/commands_dp.c ofproto/datapath.c \
	ofproto/datapath.h ofproto/freeze.h ofproto/l2.h ofproto/megaflow.c ofproto/megaflow.h ofproto/ofconn.h ofproto/ofproto.c \
	ofproto/ofproto.h ofproto/packet_in.c ofproto/packet_in.h ofproto/port.c ofproto/port.h ofproto/private.h \
	ofproto/revalidate.c ofproto/revalidate.h ofproto/rule.c ofproto/rule.h ofproto/table.c ofproto/table.h ofproto/trace.h \
	ofproto/translate.h ofproto/upcall.c ofproto/upcall.h
