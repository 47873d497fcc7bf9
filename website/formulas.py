"""Formulas: LaTeX in a fence, as the repository's host shows it, to MathML for the site.

Browsers draw MathML themselves, so that no page needs a script or a typeface for it.
"""

from latex2mathml.converter import convert


def mathml(
    source: str,
    language: str,  # noqa: ARG001 - by position
    css_class: str,  # noqa: ARG001
    options: object,  # noqa: ARG001
    md: object,  # noqa: ARG001
    **more: object,  # noqa: ARG001
) -> str:
    """The content of a fence as MathML; a custom fence of pymdownx.superfences."""
    return convert(source.strip(), display="block")
