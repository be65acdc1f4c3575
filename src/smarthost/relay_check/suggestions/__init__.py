"""Where settings can be known from: the table of providers, DNS, autoconfig, mail exchangers."""
