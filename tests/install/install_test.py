#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs the build, moves the installed tree, and runs the main job from it in a mount namespace where the source tree,
the build and .deps are empty folders. Usage: install_test.py CMAKE BUILD SOURCE"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CMAKE, BUILD, SOURCE = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
SMALL = {"synth.yaml": {"num_train": 6, "num_frames": 8},
         "stage1.yaml": {"max_train_steps": 3, "width": 32, "height": 32},
         "stage2.yaml": {"max_train_steps": 2, "n_sample_frames": 4, "width": 32, "height": 32},
         "eval.yaml": {"num_clips": 2, "num_frames": 4}}
SKIP = 77


def hidden_folders():
    deps = (SOURCE / ".deps").resolve()
    return [str(p) for p in (SOURCE, BUILD, deps) if p.is_dir()]


def hide_and_run(command, **options):
    """Runs `command` where the folders of hidden_folders() are empty."""
    script = 'n=$1; shift; for ((; n > 0; --n)); do mount -t tmpfs none "$1" || exit 99; shift; done; exec "$@"'
    folders = hidden_folders()
    # A folder inside one that is hidden already is gone, so inner ones come first.
    folders.sort(key=len, reverse=True)
    return subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", script, "hide",
                           str(len(folders)), *folders, *map(str, command)], text=True, **options)


def shrink(recipes):
    """The quickstart's recipes with fewer and smaller pictures and steps."""
    for name, values in SMALL.items():
        text = (recipes / name).read_text()
        for key, value in values.items():
            text, found = re.subn(rf"^(\s*){key}: .*$", rf"\g<1>{key}: {value}", text, count=1, flags=re.M)
            assert found, f"{name} has no {key}"
        (recipes / name).write_text(text)


def check_search_paths(programs):
    """No program looks for a library in a folder of the machine that built it."""
    for program in programs:
        dynamic = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
        for paths in re.findall(r"R(?:UN)?PATH\)\s+Library r(?:un)?path: \[(.*)\]", dynamic):
            for path in paths.split(":"):
                assert path.startswith("$ORIGIN"), f"{program.name} searches {path}"


def check_codec(job, shipped):
    """The runs use the codec that ships, from beside them."""
    files = sorted(path.relative_to(shipped) for path in shipped.rglob("*") if path.is_file())
    assert Path("refiner/diffusion_pytorch_model.safetensors") in files, files
    for file in files:
        assert (job / "codec" / file).read_bytes() == (shipped / file).read_bytes(), file
    runs = list((job / "runs").glob("stage*"))
    assert len(runs) == 2, runs
    for run in runs:
        assert f"vae_model_path: {job / 'codec'}" in (run / "run.yaml").read_text(), run
        assert not (run / "codec").exists(), run


def check_second_call(job, run):
    """What is there is not made again; a clip that is gone is."""
    def written():
        return {path: path.stat().st_mtime_ns for path in (job / "eval/eval.json", *sorted(job.glob("videos/*.mp4")))}

    before = written()
    done = run()
    assert done.returncode == 0 and written() == before, done.stderr
    gone = list(before)[-1]
    gone.unlink()
    done = run()
    assert done.returncode == 0, done.stderr
    made = {path.stem.removesuffix("_panels") for path, time in written().items() if time != before[path]}
    assert made == {gone.stem.removesuffix("_panels")}, done.stderr


def main():
    probe = hide_and_run(["true"], capture_output=True)
    if probe.returncode != 0:
        print(f"skipped: this machine lets no user make a mount namespace ({probe.stderr.strip()})")
        return SKIP
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        subprocess.run([CMAKE, "--install", BUILD, "--prefix", scratch / "first"], check=True, stdout=subprocess.DEVNULL)
        tree = (scratch / "first").rename(scratch / "moved")
        check_search_paths(sorted((tree / "bin").iterdir()))
        recipes = scratch / "recipes"
        shutil.copytree(tree / "share/zoetrope/configs/quickstart", recipes)
        shrink(recipes)
        program = tree / "bin/zoetrope"
        pose = hide_and_run([program, "data", "pose", scratch / "missing.mp4"], cwd=scratch, capture_output=True)
        assert "pose networks are not" not in pose.stderr, pose.stderr
        quickstart = [program, "quickstart", "--recipes", recipes, "--folder", "job"]
        done = hide_and_run(quickstart, cwd=scratch, capture_output=True, timeout=1000)
        assert done.returncode == 0, done.stdout + done.stderr
        for made in ("report.html", "eval/eval.json"):
            assert (scratch / "job" / made).stat().st_size > 0, made
        assert list((scratch / "job/videos").glob("*.mp4"))
        check_second_call(scratch / "job", lambda: hide_and_run(quickstart, cwd=scratch, capture_output=True, timeout=1000))
        check_codec(scratch / "job", tree / "share/zoetrope/configs/quickstart/codec")
    return 0


if __name__ == "__main__":
    sys.exit(main())
