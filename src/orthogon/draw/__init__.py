"""Figures, pictures, tables and the page that holds them."""

from orthogon.draw.curves import curves
from orthogon.draw.figures import bars, calibration, confusion, dots, histogram, scatter
from orthogon.draw.images import contact_sheet, thumbnail, thumbnails, to_image, to_png_data_uri
from orthogon.draw.page import Page, html_fragment
from orthogon.draw.tables import EstimateLike, Raw, format_estimate, format_number, html_table, text_table

__all__ = [
    "EstimateLike",
    "Page",
    "Raw",
    "bars",
    "calibration",
    "confusion",
    "contact_sheet",
    "curves",
    "dots",
    "format_estimate",
    "format_number",
    "histogram",
    "html_fragment",
    "html_table",
    "scatter",
    "text_table",
    "thumbnail",
    "thumbnails",
    "to_image",
    "to_png_data_uri",
]
