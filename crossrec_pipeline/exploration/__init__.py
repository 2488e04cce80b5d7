"""What the catalogues and the sessions look like: charts, and one page of all of them.

The modules import Altair when they are imported; whatever must start fast imports them inside
functions.
"""
