"""What an hour of a node costs, and what of it each resource is charged.

Tables in the order in which they are asked: prices that the user set by hand, lists in SkyPilot's format that the user
imported, the table that comes with apache-libcloud. A price that none of them knows is unknown, never zero. Who starts
a cluster has these tables; what of them its controller may need travels to it as a `Catalogue`.
"""

from .byhand import ByHand
from .catalogue import Catalogue
from .libcloud import Libcloud
from .node import Node, NodePrice
from .skypilot import SkyPilot

__all__ = ["ByHand", "Catalogue", "Libcloud", "Node", "NodePrice", "SkyPilot"]
