"""What runs in pods: the scheduler with the controller, the workers, and the end of tunnels."""
