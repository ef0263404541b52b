"""The answer that every program asks for where it asks for one of a schema."""

from pydantic import BaseModel


class Person(BaseModel):
    """Name and age of a person."""

    name: str
    age: int
