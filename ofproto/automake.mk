# Sources of ofproto.
