# SPDX-License-Identifier: Apache-2.0
"""The quick start's controller, an os-ken application: who may talk to whom is decided here, when somebody first tries.

SLUICE_POLICY, in the environment, lists who may, as JSON: [["10.1.0.1", "10.1.0.2"], ...], both ways. ARP passes; everything
else that no rule knows comes here. The answer is a rule for the pair, which from then on needs no controller.
"""
import json
import os

from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ipv4
from os_ken.lib.packet.ether_types import ETH_TYPE_ARP, ETH_TYPE_IP
from os_ken.lib.packet.packet import Packet
from os_ken.ofproto import ofproto_v1_3

MISS, BASIC, PAIR = 0, 10, 20


class Policy(OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.decided = set()
        self.allowed = {frozenset(pair) for pair in json.loads(os.environ["SLUICE_POLICY"])}

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def on_switch(self, event):
        """A switch is there: what it does before anybody has spoken."""
        self.decided.clear()
        datapath = event.msg.datapath
        parser, protocol = datapath.ofproto_parser, datapath.ofproto
        self.add(datapath, BASIC, parser.OFPMatch(eth_type=ETH_TYPE_ARP), [parser.OFPActionOutput(protocol.OFPP_NORMAL)])
        to_controller = parser.OFPActionOutput(protocol.OFPP_CONTROLLER, protocol.OFPCML_NO_BUFFER)
        self.add(datapath, MISS, parser.OFPMatch(), [to_controller])

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def on_packet(self, event):
        """A packet that no rule knows: its pair gets a rule, and the packet is sent on if it may."""
        message = event.msg
        datapath = message.datapath
        parser, protocol = datapath.ofproto_parser, datapath.ofproto
        ip = Packet(message.data).get_protocol(ipv4.ipv4)
        if not ip:
            return
        pair = frozenset((ip.src, ip.dst))
        may = pair in self.allowed
        print(f"{ip.src} -> {ip.dst}: {'allowed' if may else 'refused'}", flush=True)
        actions = [parser.OFPActionOutput(protocol.OFPP_NORMAL)] if may else []
        if pair not in self.decided:
            self.decided.add(pair)
            for source, target in ((ip.src, ip.dst), (ip.dst, ip.src)):
                match = parser.OFPMatch(eth_type=ETH_TYPE_IP, ipv4_src=source, ipv4_dst=target)
                self.add(datapath, PAIR, match, actions)
        if may:
            datapath.send_msg(parser.OFPPacketOut(
                datapath=datapath, buffer_id=protocol.OFP_NO_BUFFER, in_port=message.match["in_port"], actions=actions,
                data=message.data))

    def add(self, datapath, priority, match, actions):
        parser, protocol = datapath.ofproto_parser, datapath.ofproto
        instructions = [parser.OFPInstructionActions(protocol.OFPIT_APPLY_ACTIONS, actions)] if actions else []
        datapath.send_msg(parser.OFPFlowMod(datapath=datapath, priority=priority, match=match, instructions=instructions))
