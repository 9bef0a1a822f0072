"""Clusters as a client has them: started, chosen, connected to, held."""
