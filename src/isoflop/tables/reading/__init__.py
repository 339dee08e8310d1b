"""What the headers of a file mean: a grammar whose words are data, and the choice among rivals.

`columns` holds the words (``data/columns.toml``), `header` reads one header by them, `cells` one
column's cells, `choose` gives each meaning to a column, `plausible` asks where what was read
contradicts the file or anything ever trained, and `runs` finds which rows belong to one run.
"""
