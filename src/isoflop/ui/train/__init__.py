"""The Train page: small models trained live, from text to forecast."""
