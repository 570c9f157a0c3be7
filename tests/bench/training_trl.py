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
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl.experimental.ppo import PPOConfig, PPOTrainer

from tests.bench.training_classifier import classifier
from tests.bench.training_job import Job, answer, peak_kb, told


def main() -> None:
    imports = peak_kb()
    job = told(sys.argv)
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    trainer = _trainer(job)
    began, cpu_began = time.monotonic(), time.process_time()
    trainer.train()
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu_began
    trainer.accelerator.unwrap_model(trainer.model).policy.save_pretrained(job.out)
    answer(seconds=seconds, cpu_seconds=cpu_seconds, peak_kb=peak_kb() - imports)


def _trainer(job: Job) -> PPOTrainer:
    tokenizer = AutoTokenizer.from_pretrained(job.base, padding_side="left")
    policy = AutoModelForCausalLM.from_pretrained(job.base, dtype=torch.float32)
    rows = [json.loads(line)["ids"] for line in Path(job.prompts).read_text("utf-8").splitlines()]
    return PPOTrainer(
        args=_config(job),
        processing_class=tokenizer,
        model=PeftModel.from_pretrained(policy, job.start, is_trainable=True),
        ref_model=None,
        reward_model=classifier(job.base, job.reward, tokenizer.pad_token_id, learns=False),
        value_model=classifier(job.base, job.reward, tokenizer.pad_token_id, learns=True),
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


if __name__ == "__main__":
    main()
