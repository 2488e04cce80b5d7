// Takes how many recommendations are wanted; gives the choice of another number.

import type { ReactNode } from "react";

const LENGTHS = [5, 10, 20];

interface Props {
  length: number;
  onLength: (length: number) => void;
}

export function Lengths({ length, onLength }: Props): ReactNode {
  return (
    <fieldset className="segments">
      <legend>Show</legend>
      {LENGTHS.map((option) => (
        <label key={option} className="segment">
          <input
            type="radio"
            name="length"
            checked={option === length}
            onChange={() => onLength(option)}
          />
          <span>{option}</span>
        </label>
      ))}
    </fieldset>
  );
}
