"""Bing Chat and Bing's image creator, by EdgeGPT and BingImageCreator."""
