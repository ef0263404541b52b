"""Reports: the JSON document, the goals, the Markdown table and the plots."""
