# Sources of ofproto.
libsluice_a_SOURCES += ofproto/bridge.h ofproto/l2.h ofproto/ofconn.h ofproto/ofproto.h ofproto/port.h ofproto/table.h ofproto/translate.h
