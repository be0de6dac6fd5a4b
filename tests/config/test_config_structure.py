"""The static check: unknown keys, wrong simple types and import paths are refused before anything is imported."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolbox.config import Config, apply_options, check_structure, load_config
from toolbox.config.check import Check
from toolbox.config.structure import REFUSED, REQUIRED, SECTIONS
from toolbox.io.errors import ConfigError

GOOD: dict[str, Any] = {
    "plugins": ["my-gan", "no:other"],
    "model": {
        "type": "CycleGAN",
        "generator_ab": {"type": "cyclegan/ResnetGenerator", "blocks": 9},
        "variant": {"type": "SpectralNorm", "base": {"type": "Hinge"}},
        "losses": {"identity": [{"type": "L1Loss", "weight": 10.0}]},
    },
    "train_dataloader": {
        "batch_size": 1,
        "num_workers": 0,
        "prefetch_factor": None,
        "dataset": {"type": "UnpairedFolders", "transforms": [{"type": "Flip"}]},
    },
    "train_cfg": {"max_iters": 100, "val_interval": 10, "val_begin": 0},
    "val_dataloader": None,
    "val_cfg": {},
    "val_evaluator": {"type": "PSNR"},
    "test_evaluator": [{"type": "PSNR"}, {"type": "SSIM"}],
    "optim_wrapper": {
        "generator": {"optimizer": {"type": "Adam", "lr": 2e-4}, "clip_grad": {"max_norm": 1}},
        "discriminator": {"optimizer": {"type": "Adam", "lr": 2e-4}, "clip_grad": None, "accumulative_counts": 2},
    },
    "param_scheduler": {"generator": [{"type": "LinearLR"}]},
    "default_hooks": {"logger": {"interval": 50}, "samples": None},
    "custom_hooks": [{"type": "Watch"}],
    "randomness": {"seed": 1},
    "env_cfg": {"dist_cfg": {"backend": "gloo"}},
    "log_level": "INFO",
    "load_from": None,
    "resume": False,
    "work_dir": "runs/x",
    "launcher": "none",
}


def config(**options: Any) -> Config:
    """GOOD with changes; dots are written as `__`."""
    changes = {path.replace("__", "."): value for path, value in options.items()}
    data = apply_options(GOOD, changes)
    return Config(data, Path("c.yaml"), {key: "base.yaml" for key in GOOD})


def refusal(made: Config) -> str:
    with pytest.raises(ConfigError) as caught:
        check_structure(made)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_a_good_config_passes_and_is_left_as_it_is() -> None:
    made = config()
    before = copy.deepcopy(made.data)
    check_structure(made)
    assert made.data == before


def test_the_keys_are_those_of_the_design() -> None:
    named = """
        model train_dataloader train_cfg val_dataloader val_cfg val_evaluator test_dataloader test_cfg test_evaluator
        optim_wrapper param_scheduler default_hooks custom_hooks visualizer log_processor log_level model_wrapper_cfg
        env_cfg randomness experiment_name load_from resume work_dir launcher plugins
    """
    assert set(SECTIONS) == set(named.split())
    assert {"custom_imports", "default_scope", "auto_scale_lr"} <= set(REFUSED)


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_keys_of_mmengine_that_would_do_nothing_or_harm_are_refused_with_the_reason(key: str) -> None:
    made = config(val_dataloader={"dataset": {"type": "X"}}, test_dataloader={"dataset": {"type": "X"}})
    section, _, name = key.rpartition(".")
    (made.data.setdefault(section, {}) if section else made.data)[name] = {"imports": ["antigravity"]}
    message = refusal(made)
    assert message.endswith(f"yaml: {key}: is refused: {REFUSED[key]}")


@pytest.mark.parametrize("section", sorted(REQUIRED))
def test_a_section_without_what_it_cannot_do_without_is_refused(section: str) -> None:
    made = config(val_dataloader={"dataset": {"type": "X"}}, test_dataloader={"dataset": {"type": "X"}})
    place = made.data
    for name in section.split(".") if section else ():
        place = place[name]
    for name in REQUIRED[section]:
        del place[name]
    assert refusal(made).endswith(f"'{REQUIRED[section][0]}' is missing")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("optim_wraper", {}, "c.yaml: optim_wraper: there is no such key; did you mean 'optim_wrapper'?"),
        ("custom_hook", [], "c.yaml: custom_hook: there is no such key; did you mean 'custom_hooks'?"),
        (
            "train_dataloader.batchsize",
            4,
            "base.yaml: train_dataloader.batchsize: there is no such key; did you mean 'batch_size'?",
        ),
        (
            "optim_wrapper.generator.optimiser",
            {},
            "base.yaml: optim_wrapper.generator.optimiser: there is no such key; did you mean 'optimizer'?",
        ),
        (
            "optim_wrapper.optimizer",
            {"type": "Adam"},
            "base.yaml: optim_wrapper.optimizer: there is no such key; known: discriminator, generator",
        ),
        (
            "default_hooks.loger",
            {},
            "base.yaml: default_hooks.loger: there is no such key; did you mean 'logger'?",
        ),
        ("train_cfg.type", "X", "train_cfg.type: there is no such key"),
        ("train_cfg.max_epochs", 3, "train_cfg.max_epochs: there is no such key; did you mean 'max_iters'?"),
        ("val_cfg.fp16", True, "val_cfg.fp16: there is no such key; this section holds nothing"),
    ],
)
def test_an_unknown_key_names_file_path_and_the_nearest_known_one(path: str, value: Any, message: str) -> None:
    assert message in refusal(config(**{path: value}))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("resume", "yes", "base.yaml: resume: wants true or false, got 'yes'"),
        ("resume", 1, "resume: wants true or false, got 1"),
        ("work_dir", 3, "work_dir: wants text or null, got 3"),
        ("launcher", "torchrun", "launcher: wants 'none', 'pytorch', 'slurm' or 'mpi', got 'torchrun'"),
        ("launcher", None, "launcher: wants 'none', 'pytorch', 'slurm' or 'mpi', got null"),
        ("log_level", "info", "got 'info'"),
        ("plugins", "my-gan", "plugins: wants a list, each text, got 'my-gan'"),
        ("plugins", ["a", 3], "plugins.1: wants text, got 3"),
        ("train_cfg.max_iters", 1e5, "train_cfg.max_iters: wants an int, got 100000.0; write 100000"),
        ("train_cfg.max_iters", "many", "train_cfg.max_iters: wants an int, got 'many'"),
        ("train_cfg.val_interval", 0, "train_cfg.val_interval: must be at least 1, got 0"),
        ("train_cfg", 5, "train_cfg: wants a mapping of max_iters, val_interval, val_begin, got 5"),
        ("train_cfg", None, "train_cfg: wants a mapping"),
        ("train_dataloader.batch_size", "four", "train_dataloader.batch_size: wants an int, got 'four'"),
        ("train_dataloader.batch_size", True, "train_dataloader.batch_size: wants an int, got true"),
        ("train_dataloader.num_workers", -1, "train_dataloader.num_workers: must be at least 0, got -1"),
        ("train_dataloader.dataset", "Folder", "train_dataloader.dataset: wants {type: Name, …}, got 'Folder'"),
        ("train_dataloader.prefetch_factor", "x", "train_dataloader.prefetch_factor: wants an int, got 'x'"),
        ("val_dataloader", [], "val_dataloader: wants a mapping of batch_size"),
        ("optim_wrapper.generator.clip_grad", {"max_norm": "1"}, "clip_grad.max_norm: wants a number, got '1'"),
        ("optim_wrapper.generator.clip_grad", 1.0, "clip_grad: wants a mapping of type, max_norm"),
        ("param_scheduler.generator", {"type": "LinearLR"}, "param_scheduler.generator: wants a list, each {type:"),
        ("val_evaluator", "PSNR", "val_evaluator: wants {type: Name, …} or a list, each {type: Name, …} or null"),
        ("test_evaluator", ["PSNR"], "test_evaluator.0: wants {type: Name, …}, got 'PSNR'"),
        ("custom_hooks", [{"interval": 1}], "custom_hooks.0: has no type"),
        ("default_hooks.logger", 5, "default_hooks.logger: wants a mapping or null, got 5"),
        ("randomness.seed", -1, "randomness.seed: must be at least 0, got -1"),
        ("env_cfg.dist_cfg.backend", "mccl", "got 'mccl'"),
        ("model", [], "model: wants {type: Name, …}, got []"),
    ],
)
def test_a_wrong_value_says_what_is_wanted_and_what_is_there(path: str, value: Any, message: str) -> None:
    assert message in refusal(config(**{path: value}))


def test_a_model_and_its_type_are_required() -> None:
    assert refusal(Config({"resume": True}, Path("c.yaml"))) == "c.yaml: 'model' is missing"
    assert (
        refusal(Config({"model": {"x": 1}}, Path("c.yaml")))
        == "c.yaml: model: has no type; write model: {type: Name, …}"
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("model.type", "subprocess.check_output"),
        ("model.generator_ab.type", "toolbox_plugins.cyclegan.ResnetGenerator"),
        ("model.losses.identity.0.type", "os.system"),
        ("train_dataloader.dataset.transforms.0.type", "a.b/C"),
        ("optim_wrapper.generator.optimizer.type", "torch.optim.Adam"),
        ("custom_hooks.0.type", "os.system"),
        ("val_evaluator.type", "mmengine.X"),
        ("model.variant.base.type", "torch.hub.load"),
        ("default_hooks.logger.type", "x.Y"),
    ],
)
def test_a_type_that_is_an_import_path_is_refused_wherever_it_stands(path: str, name: str) -> None:
    message = refusal(config(**{path: name}))
    assert (
        f"base.yaml: {path}: '{name}': a type names a registered component, not an import path; nothing is imported"
        in message
    )


def test_a_dotted_type_suggests_its_last_part() -> None:
    made = config(optim_wrapper__generator__optimizer__type="torch.optim.Adam")
    assert refusal(made).endswith("nothing is imported; write 'Adam'")


@pytest.mark.parametrize("name", ["", "a b", "a/b/c", "/x", "x/", "1x", "a:b", "../x/Y", "Ä"])
def test_a_type_that_is_no_name_is_refused(name: str) -> None:
    message = refusal(config(model__generator_ab__type=name))
    assert "base.yaml: model.generator_ab.type: " in message and repr(name) in message


@pytest.mark.parametrize("value", [3, None, True, ["A"], {"type": "A"}])
def test_a_type_that_is_no_text_is_refused(value: Any) -> None:
    made = config()
    made.data["model"]["generator_ab"]["type"] = value
    assert "base.yaml: model.generator_ab.type: wants a component's name, got " in refusal(made)


@pytest.mark.parametrize("name", ["evil.py", "/evil.py", "os.path", "no:a.b", "-p x", ""])
def test_a_config_names_plugins_but_no_files_or_modules(name: str) -> None:
    message = refusal(config(plugins=["fine", name]))
    assert message.startswith(f"base.yaml: plugins.1: {name!r} is no plugin's name; ")
    assert message.endswith("with -p on the command line")


def test_the_file_that_wrote_the_wrong_key_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text("model: {type: A}\ntrain_cfg: {max_iter: 5}")
    Path("c.yaml").write_text("_base_: base.yaml\nresume: 3")
    options = {"train_cfg.val_intervall": 1}
    assert "base.yaml: train_cfg.max_iter: " in refusal(load_config("c.yaml"))
    Path("base.yaml").write_text("model: {type: A}\ntrain_cfg: {max_iters: 5}")
    assert refusal(load_config("c.yaml")).startswith("c.yaml: resume: ")
    assert "--cfg-options: train_cfg.val_intervall: " in refusal(load_config("c.yaml", options))


@pytest.mark.parametrize(
    ("names", "pool", "refuses"),
    [
        (("discriminator/domain/fake", "label"), 50, True),
        (("discriminator/domain/fake", "label"), 0, False),
        (("discriminator/domain/fake",), 50, False),
        (("discriminator/domain/real", "label"), 50, False),
    ],
)
def test_a_pools_older_fakes_meet_no_values_of_the_batch(names: tuple[str, ...], pool: int, refuses: bool) -> None:
    algorithm = SimpleNamespace(judge_roles={"domain": [names]}, adversaries={"discriminator": ("real", "fake")})
    model = {"discriminator": {"type": "A", "pool": pool}, "losses": {"domain": {"type": "CrossEntropy"}}}
    told = r"older than what model\.losses\.domain compares them with; leave it out"
    with pytest.raises(ConfigError, match=told) if refuses else nullcontext():
        Check(Config({"model": model}, Path("c.yaml"))).fakes_of_the_batch(model, "domain", algorithm)
