<?php
// Classes whose serialized form has private and protected names, enums and payloads of their own. They are
// known where the data is made and where it is compared; to the engine every class is unknown.

class Shop
{
    private $private;
    protected $protected;
    public $public;

    public function __construct($private, $protected, $public)
    {
        $this->private = $private;
        $this->protected = $protected;
        $this->public = $public;
    }
}

enum Suit: string
{
    case Hearts = 'https://example.com/hearts';
    case Spades = 'S';
}

class Payload implements Serializable
{
    public $held;

    public function __construct($held)
    {
        $this->held = $held;
    }

    public function serialize()
    {
        return serialize($this->held);
    }

    public function unserialize($data)
    {
        $this->held = unserialize($data);
    }
}
