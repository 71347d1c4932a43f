<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>Warehouse report, ${f"{facts.at:%Y-%m-%d %H:%M}"} UTC</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the report</a>
<header class="top">
<div class="inner">
<h1>Warehouse report</h1>
<p class="meta">${facts.database} · ${facts.engine} · <time datetime="${f'{facts.at:%Y-%m-%dT%H:%M:%SZ}'}">${f"{facts.at:%Y-%m-%d %H:%M}"} UTC</time> · sparkify-dwh ${facts.version}</p>
<nav aria-label="Sections">
<ul>
% for anchor, name in (("newest", "Newest run"), ("history", "History"), ("refused", "Refused rows"), ("rules", "Rules"), ("star", "Star"), ("analytics", "Analytics"), ("schema", "Schema"), ("lineage", "Lineage")):
<li><a href="#${anchor}">${name}</a></li>
% endfor
</ul>
</nav>
</div>
</header>
<main id="main" tabindex="-1">
${newest()}
${history_part()}
${refused_part()}
${rules_part()}
${star_part()}
${analytics_part()}
${schema_part()}
${lineage_part()}
</main>
<footer>Made by <code>sparkify report</code>. All times are UTC. This page loads nothing from the network.</footer>
<script>${script}</script>
</body>
</html>

<%def name="newest()">
<section id="newest" aria-labelledby="newest-h">
<h2 id="newest-h">Newest run</h2>
% if not facts.runs:
<p class="empty">No run so far. Load something: <code>sparkify load</code></p>
% else:
<% run = facts.runs[0] %>
<dl class="tiles">
<div><dt>State</dt><dd><span class="state state-${run.state.replace(' ', '-')}">${run.state}</span></dd></div>
<div><dt>Started</dt><dd>${f"{run.started:%H:%M:%S}"} <span class="quiet">${f"{run.started:%Y-%m-%d}"}</span></dd></div>
<div><dt>Took</dt><dd>${f"{run.seconds:,.1f} s" if run.seconds is not None else "no end on record"}</dd></div>
<div><dt>Rows read</dt><dd>${charts.full(run.read) or "–"}</dd></div>
<div><dt>Refused</dt><dd>${charts.full(run.refused)}</dd></div>
<div><dt>Refused ratio</dt><dd>${charts.percent(run.ratio) or "–"}</dd></div>
</dl>
<p class="quiet">Run <code>${run.run_id}</code></p>
% if run.reason:
<p class="reason"><strong>Why:</strong> ${run.reason}</p>
% endif
% endif
% if facts.load is not None:
<figure class="card">
<figcaption><h3>From files to tables</h3>
<p>The newest load that was committed\
% if facts.runs and facts.runs[0].run_id != facts.load.run_id:
, <code>${facts.load.run_id}</code>\
% endif
. Each bar shows what became of the rows staged for a table.
% if not streams:
</p></figcaption>
% elif all(each.balanced for each in streams):
The books balance: every row read is accounted for.</p></figcaption>
% else:
<strong class="bad">The books do not balance.</strong></p></figcaption>
% endif
% if not streams:
<p class="empty">Its books are no longer kept.</p>
% else:
<div class="wide-only">${flow.flow("flow", streams, wide=True)}</div>
<div class="narrow-only">${flow.flow("flow-narrow", streams, wide=False)}</div>
<ul class="legend">
% for account in dict.fromkeys(a for each in streams for a in each.accounts):
<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" class="a-${flow.ACCOUNTS[account]}"/></svg>${account.replace("_", " ")}</li>
% endfor
</ul>
% endif
<details><summary>The books as a table</summary>
<% accounts = list(dict.fromkeys(a for book in facts.load.books.values() for a in book)) %>
${numbers(["of"] + [a.replace("_", " ") for a in accounts], [[name] + [charts.full(book.get(a)) for a in accounts] for name, book in sorted(facts.load.books.items())], "Books", False)}
</details>
% if facts.load.files:
<details><summary>Files</summary>
% for each in facts.load.files:
<h4>${each.source}: ${quantity(each.objects, "file")}, ${flow.octets(each.size)}</h4>
% if each.objects > len(each.sample):
<p class="quiet">The ${len(each.sample)} with the most refused rows, then the most rows.</p>
% endif
${numbers(["file", "size", "rows read", "refused"], [[key, flow.octets(size), charts.full(read), charts.full(refused)] for key, size, read, refused in each.sample], "Files of " + each.source, False)}
% endfor
</details>
% endif
<details><summary>Steps</summary>
<% most = max((s[3] for s in facts.load.steps), default=0) %>
<div class="scroll" tabindex="0" role="group" aria-label="Steps of the load">
<table><caption class="hidden">Steps of the load</caption>
<thead><tr><th scope="col">step</th><th scope="col">of</th><th scope="col" class="num">rows</th><th scope="col" class="num">seconds</th><td aria-hidden="true"></td></tr></thead>
<tbody>
% for step, target, rows, seconds in facts.load.steps:
<tr><th scope="row">${step}</th><td>${target}</td><td class="num">${charts.full(rows)}</td><td class="num">${f"{seconds:.3f}"}</td><td class="barcell" aria-hidden="true">${charts.bar(seconds, most)}</td></tr>
% endfor
</tbody></table></div>
</details>
</figure>
% elif facts.runs:
<p class="empty">No load has been committed yet: the star is unchanged.</p>
% endif
</section>
</%def>

<%def name="history_part()">
<section id="history" aria-labelledby="history-h">
<h2 id="history-h">History of runs</h2>
% if not facts.runs:
<p class="empty">Nothing on record yet.</p>
% else:
<div class="cards three">
% for each in history:
<figure class="card">
<figcaption><h3>${each.title}</h3><p>${each.what}</p></figcaption>
${each.body}
${legend_of(each.legend)}
${each.table}
</figure>
% endfor
</div>
<div class="filters" hidden data-filters="runs">
<label>Show runs that are
<select data-field="state"><option value="">in any state</option>
% for state in states:
<option>${state}</option>
% endfor
</select></label>
<output aria-live="polite" data-count="runs"></output>
</div>
% if facts.total > len(facts.runs):
<p class="quiet">The newest ${len(facts.runs)} of ${charts.full(facts.total)} runs.</p>
% endif
<div class="scroll tall" tabindex="0" role="group" aria-label="Runs">
<table><caption class="hidden">Runs, newest first</caption>
<thead><tr><th scope="col">started</th><th scope="col">state</th><th scope="col" class="num">read</th><th scope="col" class="num">refused</th><th scope="col" class="num">ratio</th><th scope="col" class="num">seconds</th><th scope="col">run and reason</th></tr></thead>
<tbody>
% for run in facts.runs:
<tr data-item="runs" data-state="${run.state}"><th scope="row">${f"{run.started:%Y-%m-%d %H:%M:%S}"}</th><td><span class="state state-${run.state.replace(' ', '-')}">${run.state}</span></td><td class="num">${charts.full(run.read)}</td><td class="num">${charts.full(run.refused)}</td><td class="num">${charts.percent(run.ratio)}</td><td class="num">${f"{run.seconds:,.2f}" if run.seconds is not None else ""}</td><td class="text"><code>${run.run_id}</code>\
% if run.reason:
 ${run.reason}\
% endif
</td></tr>
% endfor
</tbody></table></div>
% endif
</section>
</%def>

<%def name="refused_part()">
<section id="refused" aria-labelledby="refused-h">
<h2 id="refused-h">Refused rows by rule</h2>
% if not facts.refused:
<p class="empty">No rows are refused.</p>
% else:
<p>From the newest run of each file, and from the newest run of all. The whole list: <code>sparkify rejects</code></p>
<% most = max(r.count for r in facts.refused) %>
<div class="filters" hidden data-filters="refused">
<label>Show rows refused by
<select data-field="rule"><option value="">any rule</option>
% for rule in sorted({each.rule for each in facts.refused}):
<option>${rule}</option>
% endfor
</select></label>
<label>of
<select data-field="source"><option value="">any source</option>
% for source in sorted({each.source for each in facts.refused}):
<option>${source}</option>
% endfor
</select></label>
<output aria-live="polite" data-count="refused"></output>
</div>
<div class="samples">
% for each in facts.refused:
<details class="card" data-item="refused" data-rule="${each.rule}" data-source="${each.source}"${" open" if loop.first else ""}>
<summary><span class="row"><h3>${each.rule} <span class="quiet">${each.source}</span></h3>${charts.bar(each.count, most, 4)}<span class="num">${quantity(each.count, "row")}</span></span></summary>
<p class="quiet">${each.reason}</p>
<ol>
% for sample in each.samples:
<li><p class="place">\
% if sample.key is None:
run <code>${sample.run_id}</code>; <code>sparkify rejects --locate</code> finds the file\
% elif sample.line:
<code>${sample.key}</code> line ${sample.line}\
% else:
<code>${sample.key}</code>, the whole file\
% endif
</p><pre tabindex="0" role="group" aria-label="Refused record">${"(its text was erased)" if sample.raw is None else sample.raw or "(empty)"}</pre></li>
% endfor
</ol>
% if each.count > len(each.samples):
<p class="quiet">and ${charts.full(each.count - len(each.samples))} more</p>
% endif
</details>
% endfor
</div>
% endif
</section>
</%def>

<%def name="rules_part()">
<section id="rules" aria-labelledby="rules-h">
<h2 id="rules-h">Quality rules over time</h2>
% if not facts.rules:
<p class="empty">No rule has been measured yet.</p>
% else:
<p>Rows that broke each rule (for <code>reject_ratio</code>, a ratio) in the newest ${quantity(len(facts.rule_runs), 'run')} that measured rules, the newest on the right.</p>
<div class="filters" hidden data-filters="rules">
<label>Show rules of
<select data-field="target"><option value="">any source or table</option>
% for target in dict.fromkeys(rule.target for rule in facts.rules):
<option>${target}</option>
% endfor
</select></label>
<label>that
<select data-field="severity"><option value="">reject, warn or fail</option>
% for severity in ("reject", "warn", "fail"):
<option>${severity}</option>
% endfor
</select></label>
<label class="check"><input type="checkbox" data-field="broken" value="yes"> broken at least once</label>
<output aria-live="polite" data-count="rules"></output>
</div>
<div class="scroll tall" tabindex="0" role="group" aria-label="Quality rules">
<table><caption class="hidden">Quality rules and their values</caption>
<thead><tr><th scope="col">rule</th><th scope="col">over time</th><th scope="col" class="num">newest</th><th scope="col" class="num">limit</th><th scope="col">passed</th></tr></thead>
<tbody>
% for rule in facts.rules:
<% title = rule.target + " " + rule.rule + ", oldest first: " + ", ".join("not measured" if v is None else charts.full(v) for v in rule.values) %>
<tr data-item="rules" data-target="${rule.target}" data-severity="${rule.severity}" data-broken="${'yes' if rule.broken else 'no'}"><th scope="row" class="text">${rule.rule} <span class="quiet">${rule.target}, ${rule.severity}</span><br><span class="quiet small">${rule.what}</span></th><td>${charts.sparkline(rule.values, rule.limit, title)}</td><td class="num">${charts.full(rule.newest)}</td><td class="num">${charts.full(rule.limit)}</td><td>\
% if rule.passed:
<span class="ok">yes</span>\
% else:
<strong class="bad">no</strong>\
% endif
</td></tr>
% endfor
</tbody></table></div>
% endif
</section>
</%def>

<%def name="star_part()">
<section id="star" aria-labelledby="star-h">
<h2 id="star-h">Size of the star</h2>
<% most = max(facts.sizes.values(), default=0) %>
<div class="scroll panel" tabindex="0" role="group" aria-label="Size of the star">
<table><caption class="hidden">Rows of each table of the star</caption>
<thead><tr><th scope="col">table</th><th scope="col" class="num">rows</th><td aria-hidden="true"></td><th scope="col" class="num">added by the newest load</th></tr></thead>
<tbody>
% for name, rows in facts.sizes.items():
<% book = (facts.load.books if facts.load else {}).get(name.split(".")[-1]) %>
<tr><th scope="row">${name}</th><td class="num">${charts.full(rows)}</td><td class="barcell" aria-hidden="true">${charts.bar(rows, most)}</td><td class="num">${charts.full(book.get("merged", 0) - book.get("replaced", 0)) if book else "–"}</td></tr>
% endfor
</tbody></table></div>
</section>
</%def>

<%def name="analytics_part()">
<section id="analytics" aria-labelledby="analytics-h">
<h2 id="analytics-h">Analytics</h2>
% if not chart_figures:
<p class="empty">No chart is declared.</p>
% elif all(each.body is None for each in chart_figures):
<p class="empty">The star is empty: there is nothing to draw.</p>
% else:
<div class="cards">
% for each in chart_figures:
<figure class="card">
<figcaption><h3>${each.title}</h3><p>${each.what}</p></figcaption>
% if each.body is None:
<p class="empty">No data.</p>
% else:
${each.body}
${legend_of(each.legend)}
${each.table}
% endif
</figure>
% endfor
</div>
% endif
</section>
</%def>

<%def name="schema_part()">
<section id="schema" aria-labelledby="schema-h">
<h2 id="schema-h">Schema</h2>
<p>PK: primary key. FK: foreign key, with an arrow to the key it refers to. No engine enforces them; every load checks them.</p>
% for title, body in diagrams:
<figure class="card">
<figcaption><h3>${title}</h3></figcaption>
<div class="scroll" tabindex="0" role="group" aria-label="${title}, diagram">${body}</div>
</figure>
% endfor
</section>
</%def>

<%def name="lineage_part()">
<section id="lineage" aria-labelledby="lineage-h">
<h2 id="lineage-h">Lineage</h2>
<p>From the fields of the files to the columns of the star, as declared. Dashed: found by look-up.</p>
<div class="filters" hidden data-filters="lineage">
<label>Show the lineage of
<select data-lineage><option value="">every table</option>
% for name in tables:
<option>${name}</option>
% endfor
</select></label>
</div>
<figure class="card">
<div class="scroll" tabindex="0" role="group" aria-label="Lineage, diagram">${lineage}</div>
<details><summary>Lineage as a table</summary>
${numbers([c.replace("_", " ") for c in lineage_columns], lineage_rows, "Lineage", False)}
</details>
</figure>
</section>
</%def>

<%def name="legend_of(names)">
% if len(names) > 1:
<ul class="legend">
% for n, name in enumerate(names):
<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" class="s${n % charts.COLOURS}"/></svg>${name}</li>
% endfor
</ul>
% endif
</%def>

<%def name="numbers(heads, rows, title, folded=True)">
% if folded:
<details><summary>As a table</summary>
% endif
<div class="scroll tall" tabindex="0" role="group" aria-label="${title}, table">
<table><caption class="hidden">${title}</caption>
<thead><tr>
% for n, head in enumerate(heads):
<th scope="col"${' class="num"' if n and folded else '' | n}>${head}</th>
% endfor
</tr></thead>
<tbody>
% for row in rows:
<tr>
% for n, value in enumerate(row):
% if n == 0:
<th scope="row">${value}</th>
% else:
<td class="${'num' if folded else 'text'}">${value}</td>
% endif
% endfor
</tr>
% endfor
</tbody></table></div>
% if folded:
</details>
% endif
</%def>

<%def name="ranking(title, rows, heads, number, most, charts)">
<div class="scroll" tabindex="0" role="group" aria-label="${title}">
<table class="ranking"><caption class="hidden">${title}</caption>
<thead class="hidden"><tr><th scope="col">${", ".join(h.replace("_", " ") for h in heads)}</th><th scope="col">${number.replace("_", " ")}</th></tr></thead>
<tbody>
% for names, value in rows:
<tr><th scope="row"><bdi>${names[0]}</bdi>\
% for name in names[1:]:
 <span class="quiet"><bdi>${name}</bdi></span>\
% endfor
${charts.bar(value, most)}</th><td class="num">${charts.full(value)}</td></tr>
% endfor
</tbody></table></div>
</%def>
