"""How predictions beyond the data do on the largest runs of public tables, held out."""
