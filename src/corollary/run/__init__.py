"""From the catalogue to results: `catalogue` finds claims, `verify` judges them, `render` draws figures."""
