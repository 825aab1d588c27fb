"""The style of every page."""

CSS = """
:root{--ink:#1f2933;--muted:#52606d;--line:#e4e7eb;--paper:#fbfbfa;--card:#fff;--accent:#0072b2;--soft:#f0f4f8;
--good:#00795a;--warning:#a86100;--bad:#b54500;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#e4e7eb;--muted:#a3b0bd;--line:#333d47;--paper:#15191e;--card:#1d232a;
--accent:#6cb8e8;--soft:#222a32;--good:#4cc9a0;--warning:#f0b24d;--bad:#f58a4b}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0 auto;max-width:960px;padding:2.5rem 1.5rem 3rem;background:var(--paper);color:var(--ink);
font:1rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:break-word}
h1{font-size:clamp(1.6rem,1.2rem + 2vw,2.3rem);line-height:1.2;letter-spacing:-.02em;font-weight:650;margin:0;
text-wrap:balance}
h2{font-size:1.35rem;line-height:1.3;letter-spacing:-.01em;font-weight:620;margin:0 0 .6rem}
h3{font-size:1.05rem;margin:1.6rem 0 .4rem}
p,ul,ol{margin:.6rem 0;max-width:44rem}
a{color:var(--accent);text-underline-offset:.15em}
:focus-visible{outline:2px solid var(--accent);outline-offset:3px;border-radius:3px}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--soft);padding:.1em .3em;
border-radius:4px}
pre{background:var(--soft);padding:.9rem 1rem;border-radius:8px;overflow-x:auto;line-height:1.45}
pre code{padding:0;background:none}
.subtitle{color:var(--muted);font-size:1.05rem;margin:.5rem 0 0}
.note{color:var(--muted);font-size:.95rem;margin-top:0}
.skip{position:absolute;left:-99rem;top:.5rem;background:var(--card);padding:.5rem 1rem;border-radius:6px}
.skip:focus{left:.75rem}
nav{margin:1.25rem 0 0;font-size:.95rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.35rem 1.25rem;margin:0;padding:0;max-width:none}
nav a{text-decoration:none;display:inline-block;padding:.2rem 0}
nav a:hover{text-decoration:underline}
section{margin:1.75rem 0 0;padding:1.75rem 0 0;border-top:1px solid var(--line)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,12.5rem),1fr));gap:.9rem;
margin:.6rem 0 1rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:.9rem 1.1rem}
.card dt{color:var(--muted);font-size:.9rem}
.card dd{margin:.1rem 0 0}
.card b{display:block;font-size:1.7rem;line-height:1.25;font-weight:620;letter-spacing:-.02em;
font-variant-numeric:tabular-nums}
.card span{color:var(--muted);font-size:.9rem;font-variant-numeric:tabular-nums}
.callout{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--accent);border-radius:8px;
padding:.8rem 1.1rem;margin:1rem 0}
.callout p{margin:.2rem 0}
.callout .lead{font-weight:620}
.callout.good{border-left-color:var(--good)}
.callout.warning{border-left-color:var(--warning)}
.callout.bad{border-left-color:var(--bad)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1.1rem;margin:1rem 0;
align-items:start}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden;
max-width:36rem;min-width:0}
figure.wide{grid-column:1/-1;max-width:none}
.picture{background:#fff;padding:.75rem;text-align:center;overflow-x:auto}
.picture svg,.picture img{display:block;width:100%;max-width:34rem;height:auto;margin:0 auto}
.picture img{width:auto;max-width:100%}
.under{padding:0 1.1rem .8rem}
figcaption{padding:.75rem 0 0;font-size:.95rem;line-height:1.5;color:var(--ink)}
details{margin:.6rem 0 0;font-size:.9rem}
summary{cursor:pointer;color:var(--muted);padding:.25rem 0}
.scroll{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;font-size:.92rem;line-height:1.4;font-variant-numeric:tabular-nums;
min-width:min(100%,20rem)}
caption{text-align:left;color:var(--muted);padding:0 0 .4rem}
th,td{text-align:left;padding:.4rem .9rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th:last-child,td:last-child{padding-right:.2rem}
th{font-weight:600;color:var(--muted);border-bottom-width:2px}
.r{text-align:right;white-space:nowrap}
.c{text-align:center}
td img{display:block;max-width:none;image-rendering:pixelated}
footer{margin-top:2.5rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--muted);font-size:.9rem}
@media (max-width:480px){body{padding:1.5rem .9rem 2rem}.picture{padding:.5rem .35rem}.under{padding:0 .8rem .6rem}
section{margin-top:1.25rem;padding-top:1.25rem}
.picture svg.dense{min-width:36rem;max-width:none}.card{padding:.7rem .9rem}.card b{font-size:1.45rem}
.cards{grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.6rem}}
@media print{:root{--ink:#000;--muted:#444;--line:#ccc;--paper:#fff;--card:#fff;--soft:#f4f4f4;--accent:#005a8c;
--good:#00624a;--warning:#8a5000;--bad:#963a00;color-scheme:light}
@page{margin:16mm}
body{max-width:none;padding:0;font-size:10.5pt}
nav,.skip,summary{display:none}
details::details-content{content-visibility:visible;display:block;height:auto}
figure,.card,.callout,tr{break-inside:avoid}
h2,h3,.note,section>p{break-after:avoid}
.cards{grid-template-columns:repeat(auto-fit,minmax(8rem,1fr))}.card b{font-size:1.2rem}
.figures{grid-template-columns:1fr 1fr}
.scroll{overflow:visible}
a{color:inherit;text-decoration:none}}
""".strip().replace("\n", "")
