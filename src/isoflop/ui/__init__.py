"""The interface: everything that a page is made of.

A page is a function that draws inputs in the sidebar, makes one cached call, and hands the result
to figures, which are made of results::

    import streamlit as st

    from isoflop import plot
    from isoflop.ui import controls, panels, resolve

    def show() -> None:
        with st.sidebar:
            choice = controls.fit_choice()
        fit = resolve.fitted(choice).fit
        panels.drawn(plot.residuals(fit, theme=plot.APP), key="chart.residuals")

It is in a module of its name, or in ``page.py`` of a folder of its name, and a script in ``pages/``
opens its frame::

    from isoflop.ui import residuals, shell

    with shell.page("residuals"):
        residuals.show()

Rules that keep every page alike:

- A page is registered by its entry in `shell.PAGES`; `shell.page` sets title, icon and layout, and
  turns every error that leaves the block into a message (`messages`), never a traceback.
- No arithmetic, file access or constants in a page. What it shows is computed by the package and
  kept by `caching.kept`, in caches that are bounded and keyed by the content of the arguments.
- A control that means the same on several pages (table, law, budget) has one key everywhere, the
  name of its parameter in the address, such as ``table``; a control of one page only is named
  ``page.field``. `inputs` binds each to the address bar, so that the link reproduces the view.
- Values are in canonical units as soon as an input returns them; `isoflop.units` writes them out.
- Text that came from a table, a formula or an error goes through `messages.plain` before it is
  shown as Markdown.
- Each page works when it is the first address opened, and when run alone under test.
"""
