"""The peer's side of the benchmark: TRL 1.12's PPOTrainer on a job. Run in a process that has that TRL.

As TRL's own example sets it up, with LoRA where it takes it: the policy is a LoRA on the base, whose reference is the
base without it; the value model, from the reward model on, is a copy of the base with a LoRA and a head; the reward
model is a copy with its LoRA added to the weights, so that it costs nothing to apply.
"""

import json
import sys
import time
from pathlib import Path

import torch
from datasets import Dataset
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl.experimental.ppo import PPOConfig, PPOTrainer

from tests.bench.training_job import Job, answer, peak_kb, told


def main() -> None:
    imports = peak_kb()
    job = told(sys.argv)
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    trainer = _trainer(job)
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    trainer.accelerator.unwrap_model(trainer.model).policy.save_pretrained(job.out)
    answer(seconds=seconds, peak_kb=peak_kb() - imports)


def _trainer(job: Job) -> PPOTrainer:
    tokenizer = AutoTokenizer.from_pretrained(job.base, padding_side="left")
    policy = AutoModelForCausalLM.from_pretrained(job.base, dtype=torch.float32)
    rows = [json.loads(line)["ids"] for line in Path(job.prompts).read_text("utf-8").splitlines()]
    return PPOTrainer(
        args=_config(job),
        processing_class=tokenizer,
        model=PeftModel.from_pretrained(policy, job.start, is_trainable=True),
        ref_model=None,
        reward_model=_scoring(job, tokenizer.pad_token_id, learns=False),
        value_model=_scoring(job, tokenizer.pad_token_id, learns=True),
        train_dataset=Dataset.from_list([{"input_ids": ids} for ids in rows]),
    )


def _config(job: Job) -> PPOConfig:
    return PPOConfig(
        output_dir=f"{job.out}-work",
        seed=job.seed,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        logging_strategy="no",
        num_sample_generations=0,
        learning_rate=job.learning_rate,
        total_episodes=job.batches * job.batch,
        per_device_train_batch_size=job.micro_batch,
        gradient_accumulation_steps=job.batch // job.micro_batch,
        local_rollout_forward_batch_size=job.look_batch,
        num_mini_batches=1,
        num_ppo_epochs=job.epochs,
        kl_coef=job.kl_coef,
        response_length=job.max_new_tokens,
        stop_token="eos",
        temperature=1.0,
        missing_eos_penalty=job.missing_eos_penalty,
    )


def _scoring(job: Job, pad_id: int, *, learns: bool) -> torch.nn.Module:
    """The reward model, in TRL's form."""
    model = AutoModelForSequenceClassification.from_pretrained(job.base, num_labels=1, dtype=torch.float32)
    model.config.pad_token_id = pad_id
    config = PeftConfig.from_pretrained(job.reward)
    config.task_type = None  # its own says that the model writes
    adapted = PeftModel.from_pretrained(model, job.reward, is_trainable=learns, config=config)
    found = adapted.get_base_model() if learns else adapted.merge_and_unload()
    found.score.weight.data = load_file(f"{job.reward}/head.safetensors")["weight"]
    found.requires_grad_(False)
    for name, one in found.named_parameters():
        one.requires_grad_(learns and ("lora_" in name or name.startswith("score")))
    return found


if __name__ == "__main__":
    main()
