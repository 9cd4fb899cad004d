"""How often, how much and how much at once a key or an address may ask, by tier and product."""
