"""The wall: a program of the administrator's, in a namespace of its own, that ends what nobody has the money for."""
