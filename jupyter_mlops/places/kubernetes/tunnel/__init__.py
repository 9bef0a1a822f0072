"""The way into the scheduler's pod from outside: tunnels that outlive what breaks under them."""
