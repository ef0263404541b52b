"""Bing Chat through EdgeGPT, and Bing's images through BingImageCreator."""
