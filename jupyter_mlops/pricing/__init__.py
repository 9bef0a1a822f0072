"""What an hour of a node costs, and what of it each resource is charged.

Three tables are asked, in this order: the prices that the user set by hand, the lists in SkyPilot's format that the
user imported, and the table that comes with apache-libcloud. A price that no table knows is unknown, never zero. The
process that starts a cluster has these tables; the part that the cluster's controller may need travels there as a
`Catalogue`.
"""

from .byhand import ByHand
from .catalogue import Catalogue
from .libcloud import Libcloud
from .node import Node, NodePrice
from .skypilot import SkyPilot

__all__ = ["ByHand", "Catalogue", "Libcloud", "Node", "NodePrice", "SkyPilot"]
