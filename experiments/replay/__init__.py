"""What ending early saves, on the very same noisy copies as a fixed n."""
