#!/usr/bin/python3
"""Measures how good pictures are: ours beside sharp's and vipsthumbnail's, against an exact reduction of the same photos.

usage: quality.py BUILD_FOLDER [PHOTO…]   PHOTO: a JPEG or a folder of them (default: Debian's wallpapers, and the cameras of ../shared/corpus;
                                          those of 3 megapixels and more)

The reference is the photo decoded at full size, upright, and reduced in light by Lanczos with three lobes, in floating point; no code of this
project takes part. Likeness to it is told by
  SSIM          of brightness, and (colour) the mean over Y', Cb and Cr: Wang et al. 2004, a Gaussian window of 11 pixels; more is better
  butteraugli   the 3-norm of libjxl's; less is better
  ssimulacra2   where this release's libjxl has it; more is better
once with the same quality number, and once with no more bytes than the peer's file has: our quality is then the greatest one that fits.
"n of N" counts the photos in which ours is at least as good as the peer's.

Set in the environment: FORMATS (jpeg webp avif), SIZES (320 800 1600; widths), BENCH_NPM (a folder with `npm install sharp` done in it; without
it sharp is left out), PEERS (sharp vips), JOBS (processors), KEEP (a folder: references and the peers' pictures stay there for the next run).
"""
import contextlib
import hashlib
import json
import os
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor

try:
    import numpy
    from PIL import Image, ImageOps
except ImportError as missing:
    sys.exit(f"quality.py: {missing} (packaging/install-packages.sh bench)")

HERE = os.path.dirname(os.path.realpath(__file__))
QUALITY = {"jpeg": 80, "webp": 80, "avif": 50}  # The defaults of all three programs.
LOBES = 3
LEAST_PIXELS = 3_000_000
JOBS = int(os.environ.get("JOBS") or os.cpu_count())

# Photos.


def is_usable(path):
    """A photo in colour and in sRGB: those of other profiles would need a conversion of somebody's own, and have tests."""
    try:
        with Image.open(path) as image:
            profile = image.info.get("icc_profile") or b""
            large = image.width * image.height >= LEAST_PIXELS
            return large and image.format == "JPEG" and image.mode == "RGB" and (not profile or b"sRGB" in profile)
    except OSError:
        return False


def find_photos(places):
    shared = os.path.join(HERE, "..", "..", "..", "shared", "corpus", "photos", "cameras")
    found = []
    for place in places or ["/usr/share/backgrounds", shared]:
        if os.path.isdir(place):
            names = sorted(name for name in os.listdir(place) if name.lower().endswith((".jpg", ".jpeg")))
            found += [path for path in (os.path.join(place, name) for name in names) if is_usable(path)]
        elif is_usable(place):
            found.append(place)
        elif places:
            sys.exit(f"quality.py: {place}: no JPEG of 3 megapixels or more, in colour and sRGB")
    return found


# The reference.


def to_light(code):
    return numpy.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def to_code(light):
    light = numpy.clip(light, 0, 1)
    return numpy.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def reduce_rows(picture, count):
    """`count` rows of what may be any number of them, each by its own weights; beyond the edges there is nothing."""
    scale = len(picture) / count
    stretch = max(scale, 1)
    flat = picture.reshape(len(picture), -1)
    out = numpy.empty((count, flat.shape[1]), numpy.float32)
    for row in range(count):
        centre = (row + 0.5) * scale
        first = max(int(numpy.floor(centre - LOBES * stretch)), 0)
        last = min(int(numpy.ceil(centre + LOBES * stretch)), len(picture))
        at = (numpy.arange(first, last) + 0.5 - centre) / stretch
        weights = numpy.where(abs(at) < LOBES, numpy.sinc(at) * numpy.sinc(at / LOBES), 0)
        out[row] = (weights / weights.sum()).astype(numpy.float32) @ flat[first:last]
    return out.reshape((count,) + picture.shape[1:])


def reduced(path, size):
    """RGB code values from 0 to 1."""
    with Image.open(path) as image:
        codes = numpy.asarray(ImageOps.exif_transpose(image))
    light = to_light(numpy.arange(256) / 255).astype(numpy.float32)[codes]
    width, height = size
    rows = reduce_rows(light, height)
    columns = reduce_rows(numpy.ascontiguousarray(rows.transpose(1, 0, 2)), width)
    return to_code(columns.transpose(1, 0, 2)).astype(numpy.float32)


def write_png(path, picture):
    """Of 8 bits, or of 16 where the picture is of code values from 0 to 1."""
    deep = picture.dtype != numpy.uint8
    samples = numpy.rint(picture * 65535).astype(">u2") if deep else picture
    height, width, _ = samples.shape

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    lines = b"".join(b"\0" + row.tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16 if deep else 8, 2, 0, 0, 0)
    with open(path + ".new", "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 1)) + chunk(b"IEND", b""))
    os.replace(path + ".new", path)


class References:
    """One of each photo and size, in a folder: code values for SSIM, a PNG of 16 bits for the programs."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def of(self, photo, size):
        at = os.path.join(self.folder, f"{photo.key}-{size[0]}x{size[1]}")
        if not os.path.exists(at + ".npy"):
            picture = reduced(photo.path, size)
            write_png(at + ".png", picture)
            numpy.save(at + ".new.npy", picture)
            os.replace(at + ".new.npy", at + ".npy")
        return numpy.load(at + ".npy"), at + ".png"


# Likeness.

WINDOW = numpy.exp(-((numpy.arange(11) - 5) ** 2) / (2 * 1.5**2))
WINDOW /= WINDOW.sum()


def windowed(plane):
    """The weighted mean about each pixel that is far enough from the edges."""
    height, width = plane.shape
    rows = sum(weight * plane[i : height - 10 + i] for i, weight in enumerate(WINDOW))
    return sum(weight * rows[:, i : width - 10 + i] for i, weight in enumerate(WINDOW))


def similarity(one, other):
    """Of two planes of code values up to 255."""
    mean_one, mean_other = windowed(one), windowed(other)
    variances = windowed(one * one) - mean_one**2 + windowed(other * other) - mean_other**2
    covariance = windowed(one * other) - mean_one * mean_other
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_one * mean_other + c1) * (2 * covariance + c2) / ((mean_one**2 + mean_other**2 + c1) * (variances + c2))
    return float(likeness.mean())


def parts(picture):
    """Y', Cb and Cr of ITU-R BT.601 in full range, of code values from 0 to 1."""
    red, green, blue = (255 * picture[:, :, i].astype(numpy.float64) for i in range(3))
    brightness = 0.299 * red + 0.587 * green + 0.114 * blue
    return brightness, 128 + (blue - brightness) / 1.772, 128 + (red - brightness) / 1.402


def told_by(command, pattern):
    """The number that a program prints; it says nothing else where it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, done.stdout + done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"quality.py: {' '.join(command)}: {done.stdout}{done.stderr}")
    return float(found.group(1))


class Likeness:
    """Scores files, by content: the same file is looked at once."""

    def __init__(self, references, work):
        self.references, self.work, self.known = references, work, {}
        self.butteraugli = shutil.which("butteraugli_main")
        self.ssimulacra2 = shutil.which("ssimulacra2")

    def of(self, photo, path):
        with open(path, "rb") as file:
            content = file.read()
        key = photo.key, hashlib.sha256(content).hexdigest()
        if key not in self.known:
            self.known[key] = self.score(photo, path, len(content))
        return self.known[key]

    def score(self, photo, path, size_bytes):
        with tempfile.TemporaryDirectory(dir=self.work) as folder:
            shown = os.path.join(folder, "shown.png")
            if path.endswith(".avif"):
                subprocess.run(["avifdec", "-j", "1", "-d", "8", "-u", "best", path, shown], check=True, stdout=subprocess.DEVNULL)
                with Image.open(shown) as image:
                    codes = numpy.asarray(image.convert("RGB"))
            else:
                with Image.open(path) as image:
                    codes = numpy.asarray(image.convert("RGB"))
            write_png(shown, codes)
            reference, png = self.references.of(photo, (codes.shape[1], codes.shape[0]))
            each = [similarity(a, b) for a, b in zip(parts(reference), parts(codes / 255))]
            scores = {"bytes": size_bytes, "ssim": each[0], "colour": statistics.mean(each)}
            if self.butteraugli:
                scores["butteraugli"] = told_by([self.butteraugli, png, shown], r"3-norm: ([-\d.]+)")
            if self.ssimulacra2:
                scores["ssimulacra2"] = told_by([self.ssimulacra2, png, shown], r"([-\d.]+)")
            return scores


# Who makes pictures.


class Photo:
    def __init__(self, path, folder):
        with open(path, "rb") as file:
            self.key = hashlib.sha256(file.read()).hexdigest()[:16]
        self.path = os.path.join(folder, self.key + ".jpg")  # A name that no two share.
        with contextlib.suppress(FileExistsError):
            os.symlink(os.path.realpath(path), self.path)
        with Image.open(path) as image:
            self.width = ImageOps.exif_transpose(image).width


def run(command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, **environment))
    if done.returncode != 0:
        sys.exit(f"quality.py: {' '.join(command)}: {done.stderr}")
    return done.stdout


def sharp(photo, form, width, folder):
    npm = os.environ["BENCH_NPM"]
    run(["node", os.path.join(HERE, "sharp.cjs"), str(width), form, str(QUALITY[form]), folder, photo.path],
        NODE_PATH=os.path.join(npm, "node_modules"))
    return os.path.join(folder, f"{photo.key}-s.{form}")


def vips(photo, form, width, folder):
    made = os.path.join(folder, f"{photo.key}-v.{form}")
    run(["vipsthumbnail", "--size", f"{width}x", "-o", f"{made}[Q={QUALITY[form]},strip]", photo.path], VIPS_CONCURRENCY="1")
    return made


class Ours:
    def __init__(self, build):
        self.program = os.path.join(build, "bin", "mediactl")
        if not os.access(self.program, os.X_OK):
            sys.exit(f"quality.py: there is no {self.program}")

    def __call__(self, photo, form, width, folder, name, *options):
        """The file, and the quality that it was made with."""
        made = os.path.join(folder, f"{photo.key}-{name}.{form}")
        told = run([self.program, "--json", "derive", photo.path, "-w", str(width), "--format", form, "-o", made, *options])
        return made, json.loads(told.splitlines()[0])["quality"]


# Tables.


def mean(rows, side, what):
    return statistics.mean(row[side][what] for row in rows)


def as_good(rows, what):
    less = what == "butteraugli"
    return sum(row["ours"][what] <= row["peer"][what] if less else row["ours"][what] >= row["peer"][what] for row in rows)


def table(title, rows_of):
    """`rows_of`: by picture and peer, the photos' scores."""
    columns = [name for name in ("ssim", "colour", "butteraugli", "ssimulacra2") if name in next(iter(rows_of.values()))[0]["ours"]]
    names = {"ssim": "SSIM", "colour": "SSIM, colour", "butteraugli": "butteraugli", "ssimulacra2": "ssimulacra2"}
    print(f"\n{title}\n")
    print("| picture | q | bytes | " + " | ".join(names[name] for name in columns) + " |")
    print("| --- | --- | --- |" + " --- |" * len(columns))
    for (picture, peer), rows in rows_of.items():
        q = statistics.median(row["q"] for row in rows)
        ratio = statistics.median(row["ours"]["bytes"] / row["peer"]["bytes"] for row in rows)
        cells = []
        for name in columns:
            digits = 4 if name in ("ssim", "colour") else 2
            cell = f"{mean(rows, 'ours', name):.{digits}f} / {mean(rows, 'peer', name):.{digits}f}"
            if name == "butteraugli":
                cell += f" = {mean(rows, 'ours', name) / mean(rows, 'peer', name):.2f}"
            cells.append(f"{cell}, {as_good(rows, name)} of {len(rows)}")
        print(f"| {picture} / {peer} | {q:g} | {ratio:.3f} | " + " | ".join(cells) + " |", flush=True)


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    ours = Ours(sys.argv[1])
    peers = {"sharp": sharp, "vips": vips}
    if not os.path.isdir(os.path.join(os.environ.get("BENCH_NPM", ""), "node_modules", "sharp")):
        del peers["sharp"]
        print("sharp is left out: BENCH_NPM is no folder with `npm install sharp` done in it", file=sys.stderr)
    if not shutil.which("butteraugli_main"):
        print("butteraugli is left out: there is no butteraugli_main (libjxl-devtools)", file=sys.stderr)
    peers = {name: peers[name] for name in os.environ.get("PEERS", "sharp vips").split() if name in peers}

    with contextlib.ExitStack() as stack:
        work = stack.enter_context(tempfile.TemporaryDirectory())
        kept = os.environ.get("KEEP") or os.path.join(work, "kept")
        os.makedirs(kept, exist_ok=True)
        likeness = Likeness(References(os.path.join(kept, "references")), work)
        places = find_photos(sys.argv[2:])
        photos = list({photo.key: photo for photo in (Photo(path, work) for path in places)}.values())
        if not photos:
            sys.exit("quality.py: there is no photo")
        print(f"{len(photos)} photos: {', '.join(os.path.basename(path) for path in places)}", file=sys.stderr)
        same, equal = {}, {}

        def compare(photo, form, width):
            """By peer: the scores at the same number, and at no more bytes."""
            mine, quality = ours(photo, form, width, work, f"{width}-same", "-q", str(QUALITY[form]))
            out = {}
            for name, peer in peers.items():
                folder = os.path.join(kept, f"{name}-{form}-{width}")
                os.makedirs(folder, exist_ok=True)
                done = os.path.join(folder, f"{photo.key}.{form}")
                if not os.path.exists(done):
                    os.replace(peer(photo, form, width, folder), done)
                theirs = likeness.of(photo, done)
                fitting, fits = ours(photo, form, width, work, f"{width}-{name}", "-q", "100", "--max-bytes", str(theirs["bytes"]))
                out[name] = ({"ours": likeness.of(photo, mine), "peer": theirs, "q": quality},
                             {"ours": likeness.of(photo, fitting), "peer": theirs, "q": fits})
            return out

        with ThreadPoolExecutor(JOBS) as threads:
            for form in os.environ.get("FORMATS", "jpeg webp avif").split():
                for width in (int(size) for size in os.environ.get("SIZES", "320 800 1600").split()):
                    for each in threads.map(lambda photo: compare(photo, form, width), [photo for photo in photos if photo.width >= width]):
                        for name, (at_number, at_bytes) in each.items():
                            same.setdefault((f"{width} px {form}", name), []).append(at_number)
                            equal.setdefault((f"{width} px {form}", name), []).append(at_bytes)
                    print(f"{width} px {form} done", file=sys.stderr, flush=True)
        if same:
            table("The same quality number (ours / the peer's):", same)
            table("No more bytes than the peer's file:", equal)


if __name__ == "__main__":
    main()
