"""Machines as network namespaces of this one, joined by a router between whose sides packets can be dropped.

Each place has a subnet of its own, so that every packet passes the router, which drops those from A to B by a
routing rule. It needs root and iproute2, and changes nothing outside the namespaces that it makes.
"""

import os
import subprocess


def ip(*arguments, within=None):
    command = ["ip"] + (["-n", within] if within else []) + list(arguments)
    subprocess.run(command, check=True)


class Place:
    def __init__(self, namespace, address):
        self.namespace = namespace
        self.address = address

    def command(self, command):
        return ["ip", "netns", "exec", self.namespace, *command]


class Network:
    """Namespaces for `names`; `places` has them. Goes away with close()."""

    def __init__(self, names):
        self.prefix = f"lrtune{os.getpid()}"
        self.router = f"{self.prefix}-router"
        self.places = {}
        self.namespaces = []
        try:
            self._add(self.router)
            subprocess.run(["ip", "netns", "exec", self.router, "sh", "-c",
                            "echo 1 >/proc/sys/net/ipv4/ip_forward"], check=True)
            for number, name in enumerate(names, start=1):
                self._join(name, number)
        except BaseException:
            self.close()
            raise

    def _add(self, namespace):
        ip("netns", "add", namespace)
        self.namespaces.append(namespace)
        ip("link", "set", "lo", "up", within=namespace)

    def _join(self, name, number):
        namespace = f"{self.prefix}-{name}"
        self._add(namespace)
        ip("link", "add", f"to{number}", "type", "veth", "peer", "name", "up0", "netns", namespace,
           within=self.router)
        ip("address", "add", f"10.201.{number}.1/24", "dev", f"to{number}", within=self.router)
        ip("link", "set", f"to{number}", "up", within=self.router)
        ip("address", "add", f"10.201.{number}.2/24", "dev", "up0", within=namespace)
        ip("link", "set", "up0", "up", within=namespace)
        ip("route", "add", "default", "via", f"10.201.{number}.1", within=namespace)
        self.places[name] = Place(namespace, f"10.201.{number}.2")

    def cut(self, sender, receiver):
        """From now on nothing that `sender` sends arrives at `receiver`."""
        self._rule("add", sender, receiver)

    def heal(self, sender, receiver):
        self._rule("delete", sender, receiver)

    def _rule(self, verb, sender, receiver):
        ip("rule", verb, "from", self.places[sender].address, "to", self.places[receiver].address,
           "priority", "100", "blackhole", within=self.router)

    def close(self):
        for namespace in reversed(self.namespaces):
            subprocess.run(["ip", "netns", "delete", namespace], check=False)
        self.namespaces = []
