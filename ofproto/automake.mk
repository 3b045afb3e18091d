# Sources of ofproto.
libsluice_a_SOURCES += \
	ofproto/bridge.c ofproto/bridge.h ofproto/l2.h ofproto/ofconn.h ofproto/ofproto.h ofproto/port.c ofproto/port.h \
	ofproto/private.h ofproto/rule.c ofproto/rule.h ofproto/table.c ofproto/table.h ofproto/translate.h \
	ofproto/datapath.h ofproto/megaflow.c ofproto/megaflow.h
