#!/usr/bin/env python3
"""Draws the sample listing anew, from nothing but arithmetic: listing/ beside this file.

    python3 -m venv venv && venv/bin/pip install pillow==13.0.0 numpy==2.4.6 && venv/bin/python make.py

ffmpeg (with libx264 and aac) makes the films. Everything is seeded: the same versions of Pillow, numpy and ffmpeg give
the same files.
"""

import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

OUT = Path(__file__).resolve().parent / "listing"

# EXIF tags
MAKE, MODEL, ORIENTATION, TAKEN, GPS = 0x010F, 0x0110, 0x0112, 0x9003, 0x8825

# What turns a stored picture upright, and so, backwards, how an upright one is stored.
STORE = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


# --- Paint ---------------------------------------------------------------------------------------------------------

def smooth_noise(rng, width, height, cell):
    """Noise with features of about `cell` pixels, from -1 to 1."""
    small = rng.uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
    picture = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def gradient(size, top, bottom):
    width, height = size
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    rows = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share
    return Image.fromarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8))


def camera(picture, rng, grain=3.0):
    """Turns a drawing into something like a photo: unevenness, falling light towards the corners, sensor noise."""
    values = np.asarray(picture.convert("RGB")).astype(np.float32)
    height, width, _ = values.shape
    values *= 1 + 0.035 * smooth_noise(rng, width, height, 190)[..., None]
    values *= 1 + 0.025 * smooth_noise(rng, width, height, 14)[..., None]
    y, x = np.mgrid[-1:1:height * 1j, -1:1:width * 1j].astype(np.float32)
    values *= (1 - 0.16 * (x * x + y * y) / 2)[..., None]
    values += rng.normal(0, grain, (height, width, 1))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))


class Canvas:
    """Draws in fractions of the picture's size, at twice its resolution so that edges come out smooth."""

    def __init__(self, width, height, top, bottom):
        self.size = (width, height)
        self.picture = gradient((2 * width, 2 * height), top, bottom)
        self.draw = ImageDraw.Draw(self.picture, "RGBA")

    def at(self, *points):
        width, height = self.picture.size
        return [(x * width, y * height) for x, y in points]

    def shape(self, colour, *points):
        self.draw.polygon(self.at(*points), fill=colour)

    def box(self, colour, x0, y0, x1, y1, round=0.0):
        self.draw.rounded_rectangle(self.at((x0, y0), (x1, y1)), round * self.picture.width, fill=colour)

    def disc(self, colour, x, y, radius):
        (cx, cy), = self.at((x, y))
        r = radius * self.picture.width
        self.draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=colour)

    def line(self, colour, thickness, *points):
        self.draw.line(self.at(*points), fill=colour, width=max(1, int(thickness * self.picture.width)))

    def shade(self, *points, strength=70, blur=0.012):
        """A soft shadow."""
        layer = Image.new("L", self.picture.size, 0)
        ImageDraw.Draw(layer).polygon(self.at(*points), fill=strength)
        layer = layer.filter(ImageFilter.GaussianBlur(blur * self.picture.width))
        self.picture.paste((25, 22, 30), mask=layer)

    def light(self, colour, x, y, radius, strength=120):
        """A soft glow."""
        layer = Image.new("L", self.picture.size, 0)
        (cx, cy), = self.at((x, y))
        r = radius * self.picture.width
        ImageDraw.Draw(layer).ellipse((cx - r, cy - r, cx + r, cy + r), fill=strength)
        self.picture.paste(colour, mask=layer.filter(ImageFilter.GaussianBlur(r / 2)))

    def finish(self):
        return self.picture.resize(self.size, Image.Resampling.LANCZOS)


# --- Things --------------------------------------------------------------------------------------------------------

def tree(c, rng, x, y, size, tint=(70, 110, 55)):
    c.shape((88, 66, 48), (x - 0.012 * size, y), (x + 0.012 * size, y), (x + 0.006 * size, y - 0.2 * size), (x - 0.006 * size, y - 0.2 * size))
    for layer in range(3):
        for _ in range(110):
            angle, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
            px, py = x + 0.085 * size * far * np.cos(angle), y - 0.25 * size + 0.12 * size * far * np.sin(angle)
            lit = 0.72 + 0.18 * layer - 0.9 * (py - y + 0.25 * size) / size + rng.uniform(-0.08, 0.08)
            c.disc(tuple(int(min(255, max(0, v * lit))) for v in tint), px - 0.012 * layer * size, py - 0.014 * layer * size, size * rng.uniform(0.008, 0.018))


def grass(c, rng, y, colour=(104, 134, 66)):
    c.box(colour, 0, y, 1, 1)
    for _ in range(2600):
        depth = rng.uniform(0, 1) ** 0.7
        x, at = rng.uniform(0, 1), y + (1 - y) * depth
        lit = rng.uniform(0.75, 1.2)
        c.line(tuple(int(v * lit) for v in colour) + (170,), 0.0006 + 0.0012 * depth, (x, at), (x + rng.uniform(-0.004, 0.004), at - 0.004 - 0.02 * depth))


def window(c, x0, y0, x1, y1, panes=2, sky=((168, 203, 228), (222, 236, 240))):
    c.box((236, 234, 228), x0 - 0.008, y0 - 0.01, x1 + 0.008, y1 + 0.012)
    steps = 24
    for step in range(steps):
        share = step / steps
        colour = tuple(int(a + (b - a) * share) for a, b in zip(*sky))
        c.box(colour, x0, y0 + (y1 - y0) * share, x1, y0 + (y1 - y0) * (share + 1 / steps))
    for pane in range(1, panes):
        x = x0 + (x1 - x0) * pane / panes
        c.box((236, 234, 228), x - 0.004, y0, x + 0.004, y1)


def floorboards(c, rng, y, colour, vanish=(0.5, 0.25), boards=26):
    c.box(colour, 0, y, 1, 1)
    for board in range(-boards, 2 * boards):
        x0, x1 = board / boards, (board + 1) / boards
        edge = lambda x: vanish[0] + (x - vanish[0]) * (y - vanish[1]) / (1.02 - vanish[1])
        lit = rng.uniform(0.86, 1.1)
        c.shape(tuple(int(v * lit) for v in colour), (edge(x0), y), (edge(x1), y), (x1, 1.02), (x0, 1.02))
        c.line((60, 40, 28, 120), 0.0012, (edge(x0), y), (x0, 1.02))


def bricks(c, rng, x0, y0, x1, y1, rows, colour):
    c.box(tuple(int(v * 0.8) for v in colour), x0, y0, x1, y1)
    height, width = (y1 - y0) / rows, (x1 - x0) / (rows * 0.9)
    for row in range(rows):
        x = x0 - (width / 2 if row % 2 else 0)
        while x < x1:
            lit = rng.uniform(0.86, 1.12)
            c.box(tuple(int(min(255, v * lit)) for v in colour), max(x, x0) + 0.0006, y0 + row * height + 0.001, min(x + width, x1) - 0.0006, y0 + (row + 1) * height - 0.0012)
            x += width


# --- Pictures ------------------------------------------------------------------------------------------------------

def facade(rng):
    c = Canvas(2400, 1600, (96, 150, 205), (214, 228, 234))
    for _ in range(60):
        c.light((250, 250, 250), rng.uniform(0, 1), rng.uniform(0.05, 0.3), rng.uniform(0.02, 0.07), 38)
    for x in np.linspace(-0.05, 1.05, 16):
        tree(c, rng, x, 0.68, rng.uniform(0.8, 1.2), (82, 112, 78))
    grass(c, rng, 0.66)
    c.shape((186, 178, 166), (0.44, 0.66), (0.53, 0.66), (0.68, 1.02), (0.30, 1.02))
    c.shade((0.14, 0.66), (0.84, 0.66), (0.92, 0.72), (0.16, 0.71), strength=120)
    bricks(c, rng, 0.18, 0.34, 0.62, 0.67, 34, (183, 110, 84))
    c.box((228, 222, 210), 0.60, 0.42, 0.84, 0.67)
    c.shape((82, 74, 76), (0.14, 0.345), (0.40, 0.15), (0.66, 0.345))
    c.shape((96, 88, 88), (0.40, 0.15), (0.60, 0.19), (0.87, 0.425), (0.66, 0.345))
    for step in range(14):
        y = 0.345 - 0.0135 * step
        c.line((60, 54, 56, 150), 0.001, (0.14 + 0.0187 * step, y), (0.66 - 0.0187 * step, y))
    c.box((120, 84, 70), 0.49, 0.14, 0.53, 0.26)
    for x in (0.22, 0.34, 0.52):
        window(c, x, 0.40, x + 0.075, 0.51)
    window(c, 0.64, 0.48, 0.81, 0.62, 3)
    for x in (0.22, 0.34):
        window(c, x, 0.55, x + 0.075, 0.64)
    c.box((58, 84, 82), 0.465, 0.52, 0.535, 0.672)
    c.disc((222, 190, 110), 0.526, 0.60, 0.0035)
    c.box((206, 200, 190), 0.45, 0.668, 0.55, 0.69)
    tree(c, rng, 0.07, 0.80, 1.7)
    tree(c, rng, 0.94, 0.84, 1.9, (96, 122, 52))
    return camera(c.finish(), rng)


def living_room(rng):
    c = Canvas(2400, 1600, (226, 218, 206), (208, 198, 184))
    floorboards(c, rng, 0.70, (172, 126, 84))
    c.box((240, 236, 228), 0, 0.68, 1, 0.705)
    window(c, 0.08, 0.12, 0.40, 0.56, 3)
    for x, side in ((0.045, 1), (0.40, -1)):
        for fold in range(6):
            lit = 1 - 0.07 * (fold % 2)
            c.box(tuple(int(v * lit) for v in (196, 186, 176)), x + 0.008 * fold, 0.08, x + 0.008 * (fold + 1), 0.69)
    c.shape((255, 246, 220, 70), (0.10, 0.72), (0.42, 0.72), (0.66, 1), (0.20, 1))
    c.shape((150, 60, 54), (0.30, 0.80), (0.82, 0.80), (0.96, 0.985), (0.20, 0.985))
    c.shape((206, 178, 140), (0.33, 0.818), (0.80, 0.818), (0.915, 0.965), (0.25, 0.965))
    c.shade((0.50, 0.79), (0.94, 0.79), (0.97, 0.86), (0.48, 0.86), strength=150)
    c.box((88, 108, 122), 0.52, 0.52, 0.92, 0.72, 0.016)
    for x in (0.53, 0.66, 0.79):
        c.box((100, 122, 138), x, 0.55, x + 0.125, 0.71, 0.012)
        c.box((114, 138, 154), x, 0.68, x + 0.125, 0.76, 0.012)
    c.box((78, 96, 110), 0.50, 0.62, 0.535, 0.81, 0.012)
    c.box((78, 96, 110), 0.905, 0.62, 0.94, 0.81, 0.012)
    c.box((214, 166, 84), 0.56, 0.60, 0.63, 0.70, 0.012)
    c.box((198, 104, 80), 0.84, 0.60, 0.90, 0.70, 0.012)
    c.box((60, 50, 44), 0.58, 0.14, 0.86, 0.42)
    c.box((238, 230, 214), 0.59, 0.155, 0.85, 0.405)
    for step in range(7):
        c.shape(tuple(int(v) for v in (210 - 22 * step, 140 + 6 * step, 90 + 18 * step)), (0.60, 0.25 + 0.02 * step), (0.72, 0.19 + 0.026 * step + 0.01 * np.sin(step)), (0.84, 0.26 + 0.02 * step), (0.84, 0.395), (0.60, 0.395))
    c.shade((0.34, 0.90), (0.62, 0.90), (0.64, 0.94), (0.32, 0.94), strength=130)
    c.shape((120, 82, 54), (0.36, 0.82), (0.60, 0.82), (0.64, 0.87), (0.32, 0.87))
    c.box((96, 64, 42), 0.33, 0.87, 0.35, 0.955)
    c.box((96, 64, 42), 0.61, 0.87, 0.63, 0.955)
    c.box((232, 228, 220), 0.45, 0.775, 0.475, 0.845, 0.004)
    for _ in range(26):
        x, y = 0.4625 + rng.normal(0, 0.016), 0.735 + rng.normal(0, 0.022)
        c.line((86, 120, 70), 0.0014, (0.4625, 0.78), (x, y))
        c.disc((226, 150, 140) if rng.random() < 0.5 else (240, 226, 190), x, y, 0.006)
    c.line((50, 46, 44), 0.004, (0.475, 0.76), (0.475, 0.32))
    c.shape((244, 226, 182), (0.445, 0.33), (0.505, 0.33), (0.49, 0.24), (0.46, 0.24))
    c.light((255, 226, 160), 0.475, 0.30, 0.11, 110)
    return camera(c.finish(), rng)


def kitchen(rng):
    c = Canvas(2000, 1500, (232, 230, 224), (220, 216, 208))
    for row in range(30):
        for column in range(40):
            lit = rng.uniform(0.94, 1.03)
            shade = tuple(int(min(255, v * lit)) for v in ((202, 214, 210) if (row + column) % 2 else (224, 228, 222)))
            edge = lambda x, y: (0.5 + (x - 0.5) * (0.5 + 0.9 * y), 0.78 + 0.24 * y ** 1.3)
            x0, x1, y0, y1 = column / 20 - 0.5, (column + 1) / 20 - 0.5, row / 30, (row + 1) / 30
            c.shape(shade, edge(x0, y0), edge(x1, y0), edge(x1, y1), edge(x0, y1))
    bricks(c, rng, 0, 0.36, 1, 0.54, 9, (238, 236, 230))
    for x in np.arange(0, 1, 0.125):
        if not 0.36 < x < 0.6:
            c.box((74, 100, 98), x + 0.003, 0.06, x + 0.122, 0.34, 0.003)
            c.box((84, 112, 110), x + 0.014, 0.075, x + 0.111, 0.325, 0.003)
            c.box((206, 170, 100), x + 0.104, 0.26, x + 0.108, 0.31)
        c.box((74, 100, 98), x + 0.003, 0.58, x + 0.122, 0.81, 0.003)
        c.box((84, 112, 110), x + 0.014, 0.655, x + 0.111, 0.80, 0.003)
        c.box((84, 112, 110), x + 0.014, 0.59, x + 0.111, 0.64, 0.003)
        c.box((206, 170, 100), x + 0.045, 0.612, x + 0.08, 0.618)
    window(c, 0.39, 0.08, 0.61, 0.40, 2)
    c.box((176, 128, 82), 0, 0.535, 1, 0.582)
    for _ in range(160):
        x, y = rng.uniform(0, 1), rng.uniform(0.538, 0.578)
        c.line((120, 82, 48, 90), 0.0008, (x, y), (x + rng.uniform(0.02, 0.1), y))
    c.box((190, 194, 196), 0.42, 0.528, 0.58, 0.545, 0.004)
    c.line((180, 184, 188), 0.009, (0.50, 0.53), (0.50, 0.43), (0.535, 0.42), (0.545, 0.45))
    c.box((44, 46, 48), 0.70, 0.52, 0.84, 0.54, 0.003)
    c.box((196, 84, 62), 0.725, 0.455, 0.795, 0.522, 0.006)
    c.box((150, 60, 46), 0.72, 0.45, 0.80, 0.462, 0.004)
    for x, colour in ((0.17, (214, 178, 76)), (0.195, (196, 90, 60)), (0.22, (214, 178, 76)), (0.183, (120, 156, 74))):
        c.disc(colour, x, 0.515, 0.014)
    c.shape((236, 232, 224), (0.145, 0.515), (0.245, 0.515), (0.225, 0.545), (0.165, 0.545))
    for x in (0.28, 0.72):
        c.line((50, 50, 50), 0.002, (x, 0), (x, 0.10))
        c.shape((214, 170, 90), (x - 0.035, 0.17), (x + 0.035, 0.17), (x + 0.012, 0.10), (x - 0.012, 0.10))
        c.light((255, 236, 190), x, 0.18, 0.09, 120)
    return camera(c.finish(), rng)


def stairs(rng):
    c = Canvas(1600, 2133, (238, 234, 226), (206, 198, 188))
    c.shape((222, 216, 206), (0, 0), (0.30, 0.10), (0.30, 0.80), (0, 1))
    window(c, 0.42, 0.08, 0.72, 0.30, 2)
    c.light((255, 250, 230), 0.57, 0.20, 0.32, 70)
    floorboards(c, rng, 0.90, (168, 122, 82), (0.5, 0.4))
    for step in range(13):
        share = step / 12
        y0 = 0.93 - 0.50 * share
        x0, x1 = 0.20 + 0.16 * share, 0.86 - 0.10 * share
        rise, depth = 0.040 - 0.006 * share, 0.012
        c.box((240, 238, 232), x0, y0 - rise, x1, y0)
        lit = rng.uniform(0.94, 1.06)
        c.shape(tuple(int(v * lit) for v in (160, 112, 72)), (x0 - 0.01, y0 - rise), (x1 + 0.01, y0 - rise), (x1, y0 - rise - depth), (x0, y0 - rise - depth))
        c.shade((x0, y0 - rise), (x1, y0 - rise), (x1, y0 - rise + 0.012), (x0, y0 - rise + 0.012), strength=80, blur=0.004)
        c.shape((128, 62, 58), (x0 + 0.14, y0), (x1 - 0.14, y0), (x1 - 0.145, y0 - rise - depth), (x0 + 0.145, y0 - rise - depth))
        c.line((52, 48, 46), 0.006, (x1 - 0.01, y0 - rise - 0.004), (x1 - 0.012, y0 - rise - 0.17 + 0.03 * share))
    c.line((96, 64, 42), 0.022, (0.86, 0.73), (0.745, 0.285))
    c.box((96, 64, 42), 0.84, 0.70, 0.88, 0.94, 0.006)
    for row, (x, y) in enumerate(((0.06, 0.30), (0.17, 0.36), (0.07, 0.50))):
        c.shape((60, 50, 44), (x, y), (x + 0.09, y + 0.012), (x + 0.09, y + 0.13), (x, y + 0.14))
        c.shape(((216, 190, 150), (150, 176, 186), (206, 160, 140))[row], (x + 0.01, y + 0.015), (x + 0.08, y + 0.024), (x + 0.08, y + 0.12), (x + 0.01, y + 0.126))
    return camera(c.finish(), rng)


def view(rng):
    c = Canvas(2600, 1462, (238, 150, 92), (250, 214, 160))
    c.light((255, 244, 210), 0.68, 0.42, 0.20, 190)
    c.disc((255, 250, 232), 0.68, 0.42, 0.022)
    for layer in range(6):
        share = layer / 5
        base = 0.46 + 0.09 * layer
        xs = np.linspace(0, 1, 220)
        rise = sum(np.sin(xs * f * (1.6 + layer) + rng.uniform(0, 6)) / f for f in (2, 5, 11, 23, 47))
        ridge = [(x, base - 0.085 * r * (1 - 0.3 * share)) for x, r in zip(xs, rise)]
        colour = tuple(int(a + (b - a) * share) for a, b in zip((214, 140, 116), (34, 44, 46)))
        c.shape(colour, (0, 1.02), *ridge, (1, 1.02))
        if layer < 5:
            c.light((250, 206, 164), rng.uniform(0.2, 0.8), base + 0.06, 0.16, 46)
    for _ in range(150):
        x, size = rng.uniform(0, 1), rng.uniform(0.012, 0.035)
        y = 0.97 + 0.03 * np.sin(9 * x) + rng.uniform(-0.03, 0.05)
        for tier in range(4):
            w, top = size * (0.16 + 0.11 * tier), y - size * 2.4 + tier * size * 0.55
            c.shape((22, 30, 30), (x, top), (x + w, top + size * 0.9), (x - w, top + size * 0.9))
    return camera(c.finish(), rng, 2.2)


def bedroom(rng):
    c = Canvas(1600, 1200, (206, 214, 212), (196, 200, 196))
    floorboards(c, rng, 0.74, (146, 108, 78))
    c.box((238, 236, 230), 0, 0.72, 1, 0.745)
    window(c, 0.64, 0.14, 0.90, 0.54, 2)
    c.box((138, 104, 76), 0.10, 0.40, 0.58, 0.70, 0.01)
    c.shade((0.06, 0.86), (0.68, 0.86), (0.70, 0.97), (0.05, 0.97), strength=150)
    c.shape((236, 232, 224), (0.12, 0.58), (0.56, 0.58), (0.68, 0.84), (0.06, 0.84))
    c.shape((92, 116, 130), (0.105, 0.66), (0.59, 0.66), (0.685, 0.86), (0.05, 0.86))
    c.shape((78, 100, 114), (0.05, 0.86), (0.685, 0.86), (0.67, 0.955), (0.06, 0.955))
    for fold in range(18):
        x = 0.12 + 0.028 * fold
        c.line((120, 144, 156, 110), 0.003, (x, 0.665), (0.36 + (x - 0.36) * 1.3, 0.95))
    for x in (0.15, 0.36):
        c.box((246, 244, 238), x, 0.52, x + 0.17, 0.62, 0.02)
        c.box((214, 150, 110), x + 0.03, 0.555, x + 0.14, 0.64, 0.016)
    c.box((120, 88, 62), 0.70, 0.66, 0.82, 0.86, 0.004)
    c.box((136, 102, 74), 0.712, 0.69, 0.808, 0.75, 0.003)
    c.box((136, 102, 74), 0.712, 0.77, 0.808, 0.84, 0.003)
    c.line((60, 56, 52), 0.006, (0.76, 0.66), (0.76, 0.58))
    c.shape((246, 232, 196), (0.72, 0.58), (0.80, 0.58), (0.785, 0.49), (0.735, 0.49))
    c.light((255, 232, 176), 0.76, 0.54, 0.10, 100)
    c.box((60, 54, 50), 0.22, 0.10, 0.46, 0.30)
    c.box((226, 220, 206), 0.23, 0.115, 0.45, 0.285)
    for ring in range(5):
        c.disc((200 - 26 * ring, 120 + 8 * ring, 86 + 20 * ring), 0.30 + 0.02 * ring, 0.20, 0.045 - 0.007 * ring)
    return camera(c.finish(), rng)


def floor_plan(_rng):
    """A rendering, flat colours: what PNG is for."""
    c = Canvas(1600, 1200, (250, 250, 247), (250, 250, 247))
    rooms = [((238, 226, 204), 0.10, 0.12, 0.56, 0.58), ((214, 226, 222), 0.56, 0.12, 0.90, 0.44), ((226, 218, 232), 0.56, 0.44, 0.90, 0.88), ((222, 230, 212), 0.10, 0.58, 0.36, 0.88), ((232, 232, 232), 0.36, 0.58, 0.56, 0.88)]
    for colour, *place in rooms:
        c.box(colour, *place)
    for _, x0, y0, x1, y1 in rooms:
        c.line((50, 52, 58), 0.008, (x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))
    for x0, y0, x1, y1 in ((0.20, 0.12, 0.42, 0.12), (0.66, 0.12, 0.80, 0.12), (0.90, 0.56, 0.90, 0.76), (0.10, 0.66, 0.10, 0.80)):
        c.line((140, 186, 214), 0.010, (x0, y0), (x1, y1))
    for colour, x0, y0, x1, y1 in (((176, 150, 120), 0.14, 0.40, 0.32, 0.52), ((150, 176, 170), 0.60, 0.15, 0.86, 0.20), ((190, 170, 200), 0.66, 0.58, 0.84, 0.80), ((170, 190, 150), 0.13, 0.62, 0.22, 0.72)):
        c.box(colour, x0, y0, x1, y1, 0.008)
    for x, y in ((0.46, 0.58), (0.56, 0.50), (0.42, 0.88), (0.36, 0.70)):
        c.disc((250, 250, 247), x, y, 0.016)
    return c.finish()


# --- Files ---------------------------------------------------------------------------------------------------------

def exif(orientation, gps=False):
    data = Image.Exif()
    data[MAKE], data[MODEL], data[ORIENTATION] = "stagehost", "Sample listing", orientation
    data.get_ifd(0x8769)[TAKEN] = "2025:11:27 10:30:00"
    if gps:
        # Null Island: nobody lives there.
        data.get_ifd(GPS).update({1: "N", 2: (0.0, 0.0, 1.5), 3: "E", 4: (0.0, 0.0, 2.5)})
    return data


def photo(name, picture, orientation, quality=80, gps=False, **more):
    stored = picture.transpose(STORE[orientation]) if STORE[orientation] is not None else picture
    stored.save(OUT / name, quality=quality, exif=exif(orientation, gps), **more)


def s15(value):
    return struct.pack(">i", round(value * 65536))


def display_p3():
    """An ICC profile with the primaries of Display P3 and the curve of sRGB, written from the numbers in their standards."""
    xyz = lambda x, y, z: b"XYZ \0\0\0\0" + s15(x) + s15(y) + s15(z)
    text = lambda words: b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", 2 * len(words), 28) + words.encode("utf-16-be")
    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(map(s15, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))

    # From chromaticities to the profile's D50, adapted by Bradford's method.
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    d50 = np.array([0.9642, 1, 0.8249])
    primaries = np.array([[x / y, 1, (1 - x - y) / y] for x, y in ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))]).T
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    adapt = np.linalg.inv(bradford) @ np.diag((bradford @ d50) / (bradford @ white)) @ bradford
    red, green, blue = (adapt @ primaries @ np.diag(np.linalg.solve(primaries, white))).T

    matrix = b"sf32\0\0\0\0" + b"".join(s15(value) for value in adapt.flatten())
    tags = {b"desc": text("P3 primaries, sRGB curve (stagehost)"), b"cprt": text("CC0"), b"wtpt": xyz(*d50), b"chad": matrix,
            b"rXYZ": xyz(*red), b"gXYZ": xyz(*green), b"bXYZ": xyz(*blue), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = 128 + len(table) + len(body)
    header = struct.pack(">I4sI4s4s4s6H4s", size, bytes(4), 0x04300000, b"mntr", b"RGB ", b"XYZ ", 2025, 11, 27, 0, 0, 0, b"acsp")
    header = header.ljust(68, b"\0") + s15(0.9642) + s15(1) + s15(0.8249)
    return header.ljust(128, b"\0") + table + body


def to_p3(picture):
    """The same colours, in the numbers of P3: converted by littleCMS with the profile above."""
    from PIL import ImageCms
    import io
    profile = ImageCms.ImageCmsProfile(io.BytesIO(display_p3()))
    return ImageCms.profileToProfile(picture, ImageCms.createProfile("sRGB"), profile, outputMode="RGB")


def film(name, picture, size, seconds, sound, turned=False):
    """A slow pan over a picture. `turned`: stored on its side, with a matrix that says so, as phones do."""
    width, height = size
    # Fills the frame and leaves a quarter to move over.
    scale = f"scale={width * 5 // 4}:{height * 5 // 4}:force_original_aspect_ratio=increase"
    pan = f"crop={width}:{height}:(iw-ow)*t/{seconds}:(ih-oh)*t/{seconds}"
    side = ",transpose=cclock" if turned else ""
    with tempfile.TemporaryDirectory() as folder:
        still, flat = Path(folder) / "still.png", Path(folder) / "flat.mp4"
        picture.filter(ImageFilter.GaussianBlur(1.2)).save(still)
        tune = ["-f", "lavfi", "-i", "sine=frequency=330:sample_rate=44100,tremolo=f=2:d=0.6,volume=0.25"] if sound else []
        audio = ["-c:a", "aac", "-b:a", "64k", "-ac", "1"] if sound else ["-an"]
        quiet = ["ffmpeg", "-y", "-loglevel", "error"]
        exact = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1"]
        subprocess.run([*quiet, "-loop", "1", "-framerate", "25", "-i", still, *tune, "-t", str(seconds), "-vf", f"{scale},{pan}{side},format=yuv420p", "-c:v", "libx264", "-preset", "slow", "-crf", "27", "-threads", "1", *audio, *exact, flat], check=True)
        shutil.copy(flat, OUT / name)
        if turned:
            lay_on_side(OUT / name, size)


def lay_on_side(path, upright):
    """Writes a quarter turn, clockwise, into the picture track's header."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    one = 0x10000
    data[at + 40:at + 76] = struct.pack(">9i", 0, one, 0, -one, 0, 0, upright[0] * one, 0, 0x40000000)
    path.write_bytes(data)


def document(name):
    """One page, written by hand: a title, three lines, a drawing of a house."""
    content = b"""BT /F1 24 Tf 72 760 Td (House with a garden) Tj ET
BT /F1 12 Tf 72 724 Td 18 TL (Five rooms on two floors, 148 square metres.) Tj T* (Built 1931, roof and windows renewed 2019.) Tj
T* (This page is part of a sample; there is no such house.) Tj ET
0.72 0.43 0.33 rg 160 420 200 140 re f 0.32 0.29 0.30 rg 140 560 m 260 660 l 380 560 l f
0.85 0.90 0.94 rg 185 480 50 50 re 285 480 50 50 re f 0.23 0.33 0.32 rg 240 420 40 80 re f
"""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
               b"<< /Length %d >>\nstream\n%sendstream" % (len(content), content),
               b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    data, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(data))
    (OUT / name).write_bytes(data + table + trailer)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    draw = lambda painter, seed: painter(np.random.default_rng(seed))
    front, room, cooking, steps, hills = draw(facade, 1), draw(living_room, 2), draw(kitchen, 3), draw(stairs, 4), draw(view, 5)
    photo("front.jpg", front, 1, quality=72, gps=True)
    photo("living-room.jpg", room, 3, quality=74)
    photo("staircase.jpg", steps, 6, quality=74)
    photo("staircase-other-hand.jpg", steps.crop((150, 250, 1450, 2133)), 8, quality=70, progressive=True)
    photo("evening-view.jpg", to_p3(hills), 1, quality=74, icc_profile=display_p3())
    draw(bedroom, 6).save(OUT / "bedroom.webp", quality=72, method=6)
    draw(floor_plan, 7).save(OUT / "floor-plan.png", optimize=True)
    photo("kitchen.jpg", cooking, 1, quality=74)
    damaged = (OUT / "kitchen.jpg").read_bytes()
    (OUT / "kitchen-damaged.jpg").write_bytes(damaged[: len(damaged) * 2 // 5])
    film("walk-through.mp4", room, (1280, 720), 4, sound=True)
    film("staircase.mp4", steps, (720, 1280), 3, sound=False, turned=True)
    document("description.pdf")
    for path in sorted(OUT.iterdir()):
        print(f"{path.stat().st_size:>9} {path.name}")


if __name__ == "__main__":
    main()
