"""Processes of this machine: started, grouped, waited for, and ended with all that belongs to them."""
