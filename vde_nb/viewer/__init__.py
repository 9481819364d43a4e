"""What a browser shows of a comparison, in the panel and in the HTML report alike.

:mod:`~vde_nb.viewer.bundle` makes one script of the modules in ``static/``,
:mod:`~vde_nb.viewer.payload` and :mod:`~vde_nb.viewer.tiles` make bytes of pictures, maps and
results. Nothing here knows about widgets or files.
"""
