"""How large an installation must be: measured constants, formulas, and a simulation that checks them."""
