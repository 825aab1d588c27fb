"""Figures as SVG, image grids, tables as HTML, and the page that holds them. Knows nothing of networks."""
